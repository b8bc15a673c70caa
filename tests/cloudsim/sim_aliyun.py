# SPDX-License-Identifier: GPL-2.0-or-later
"""Aliyun: ECS, VPC and the three balancers (SLB, ALB, NLB) by the RPC protocol: parameters in the query, JSON out."""
import json
import time
from urllib.parse import parse_qsl

from sim_http import json_reply
from sim_state import REGIONS, Refused

PRODUCTS = {"2014-05-26": "ecs", "2016-04-28": "vpc", "2014-05-15": "slb", "2020-06-16": "alb", "2022-04-30": "nlb", "2015-04-01": "sts"}
POWER = {"pending": "Starting", "running": "Running", "stopping": "Stopping", "stopped": "Stopped", "shutting-down": "Stopping"}

UNSUPPORTED = "The current status of the resource does not support this operation."
REFUSALS = {
    "instance-missing": (404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist."),
    "disk-missing": (404, "InvalidDiskId.NotFound", "The specified DiskId does not exist."),
    "nic-missing": (404, "InvalidEniId.NotFound", "The specified eni does not exist."),
    "eip-missing": (404, "InvalidAllocationId.NotFound", "Specified allocation ID is not found"),
    "havip-missing": (404, "InvalidHaVipId.NotFound", "The specified HaVipId is not found."),
    "snapshot-missing": (404, "InvalidSnapshotId.NotFound", "The specified SnapshotId does not exist."),
    "route-table-missing": (404, "InvalidRouteTableId.NotFound", "Specified route table does not exist."),
    "route-missing": (404, "InvalidRouteEntry.NotFound", "Specified route entry does not exist."),
    "group-missing": (404, "InvalidLoadBalancerId.NotFound", "The specified LoadBalancerId does not exist."),
    "attached-here": (403, "IncorrectDiskStatus", "The current disk status does not support this operation."),
    "attached-elsewhere": (403, "IncorrectDiskStatus", "The current disk status does not support this operation."),
    "disk-detaching": (403, "IncorrectDiskStatus.Detaching", "The current disk status does not support this operation."),
    "disk-creating": (403, "IncorrectDiskStatus.Creating", "The current disk status does not support this operation."),
    "disk-error": (403, "DiskError", "IncorrectDiskStatus."),
    "disk-deleted": (404, "InvalidDiskId.NotFound", "The specified DiskId does not exist."),
    "other-zone": (400, "ResourcesNotInSameZone", "The specified instance and disk are not in the same zone."),
    "instance-state": (403, "IncorrectInstanceStatus", UNSUPPORTED),
    "instance-not-running": (403, "IncorrectInstanceStatus", UNSUPPORTED),
    "instance-not-stopped": (403, "IncorrectInstanceStatus", UNSUPPORTED),
    "disk-limit": (403, "InstanceDiskLimitExceeded", "The amount of the disk on instance in question reach its limits."),
    "device-used": (403, "InvalidDevice.InUse", "The specified device has been occupied."),
    "not-attached": (403, "InvalidDisk.AlreadyDetached", "The specified disk has been detached."),
    "attached-to-other": (403, "DependencyViolation.InstanceNotAttached", "The specified disk is not attached to the instance."),
    "address-assigned": (403, "InvalidIp.IpAssigned", "The specified IP address {address} has been assigned."),
    "address-not-assigned": (403, "InvalidIp.IpUnassigned", "The specified IP address {address} has not been assigned."),
    "eip-bound": (400, "IncorrectEipStatus", "Current elastic IP status does not support this operation."),
    "eip-free": (400, "IncorrectEipStatus", "Current elastic IP status does not support this operation."),
    "eip-conflict": (400, "TaskConflict", "The operation is too frequent, please wait a moment and try again."),
    "havip-bound": (400, "IncorrectHaVipStatus", "The specified HaVip is already associated with the instance."),
    "havip-other-zone": (400, "OperationFailed.ZoneMismatch", "HaVip and instance must be in the same zone."),
    "member-missing": (400, "ResourceNotFound.BackendServer", "The specified backend server {member} is not found."),
    "parameter-missing": (400, "MissingParameter", "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."),
    "dry-run": (400, "DryRunOperation", "Request validation has been passed with DryRun flag set."),
    "denied": (403, "Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM."),
    "no-action": (404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."),
    "token-mismatch": (400, "IdempotentParameterMismatch", "The request uses a client token in a previous and non-identical request."),
    "internal": (500, "InternalError", "The request processing has failed due to some unknown error, exception or failure."),
    "unavailable": (503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."),
    "throttle": (400, "Throttling.User", "Request was denied due to user flow control."),
    "busy": (403, "LastTokenProcessing", "The last token request is processing."),
    "expired": (403, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."),
    "sign-missing": (400, "IncompleteSignature", "The request signature does not conform to Aliyun standards. {detail}"),
    "sign-mismatch": (400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation."),
    "sign-skew": (400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."),
    "sign-nonce": (400, "SignatureNonceUsed", "Specified signature nonce was used already."),
    "sign-unknown-key": (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
    "sign-token": (403, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."),
    "sign-token-expired": (403, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."),
    "sign-not-signed": (400, "SignatureDoesNotMatch", "The header {detail} must be signed."),
    "sign-body": (400, "SignatureDoesNotMatch", "The content's digest does not match."),
}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Aliyun:
    name = "aliyun"
    reading = ("Describe", "List", "Get")

    def __init__(self, world):
        self.world = world

    def identify(self, request, signed=None):
        params = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
        if (request.header("content-type") or "").startswith("application/x-www-form-urlencoded"):
            params.update(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        action = request.header("x-acs-action") or params.get("Action", "")
        version = request.header("x-acs-version") or params.get("Version", "")
        return PRODUCTS.get(version, "ecs"), action, params, not action.startswith(self.reading)

    def run(self, service, action, params, request):
        method = getattr(self, service + "_" + action, None)
        if method is None:
            raise Refused("no-action", name=action)
        # Only the instance-power calls have a dry run among those that are used here.
        return json_reply(200, dict({"RequestId": self.request_id()}, **(method(params) or {})))

    def request_id(self):
        return self.world.uuid().upper()

    def refuse(self, refused, service="ecs", action=""):
        status, code, message = REFUSALS.get(refused.reason) or (500, "InternalError", refused.reason)
        about = dict({"id": "", "detail": "", "name": "", "address": "", "member": ""}, **refused.about)
        if refused.reason == "error":
            status, code, message = about.get("status", 500), about.get("code", "InternalError"), about.get("message", "unknown error")
        ident = self.request_id()
        return json_reply(status, {"RequestId": ident, "HostId": "%s.%s.aliyuncs.com" % (service, REGIONS["aliyun"]), "Code": code,
                                   "Message": message.format(**about), "Recommend": "https://api.aliyun.com/troubleshoot?q=%s&requestId=%s" % (code, ident)})

    # --- parameters ---

    def need(self, params, name):
        if not params.get(name):
            raise Refused("parameter-missing", name=name)
        return params[name]

    def ids(self, params, name):
        """DiskIds is a JSON list in one parameter."""
        try:
            return json.loads(params[name]) if params.get(name) else []
        except ValueError:
            raise Refused("error", status=400, code="InvalidParameter." + name, message="The specified parameter %s is not valid." % name) from None

    def numbered(self, params, prefix):
        return [value for _, value in sorted((int(key[len(prefix) + 1:]), value) for key, value in params.items()
                                             if key.startswith(prefix + ".") and key[len(prefix) + 1:].isdigit())]

    def rows(self, params, prefix):
        """Servers.1.ServerId ... as dicts."""
        rows = {}
        for key, value in params.items():
            words = key.split(".")
            if len(words) == 3 and words[0] == prefix and words[1].isdigit():
                rows.setdefault(int(words[1]), {})[words[2]] = value
        return [rows[number] for number in sorted(rows)]

    def page(self, params, items, default=10):
        size = int(params.get("PageSize") or params.get("MaxResults") or default)
        if params.get("NextToken") or params.get("MaxResults"):
            begin = int(params.get("NextToken") or 0)
        else:
            begin = (int(params.get("PageNumber") or 1) - 1) * size
        more = begin + size < len(items)
        about = {"TotalCount": len(items), "PageSize": size, "PageNumber": begin // size + 1, "NextToken": str(begin + size) if more else ""}
        return items[begin:begin + size], about

    def tagged(self, view, params):
        return all(view.tags.get(row.get("Key")) is not None and row.get("Value") in (None, "", view.tags[row.get("Key")])
                   for row in self.rows(params, "Tag"))

    def once(self, params, action):
        """False for a call whose client token was used by the same call before: it does nothing more."""
        token, used = params.get("ClientToken"), self.world.settings.setdefault("client_tokens", {})
        rest = [action] + sorted([k, v] for k, v in params.items() if k not in ("SignatureNonce", "Signature", "Timestamp"))
        if not token or token not in used:
            used.update({token: rest} if token else {})
            return True
        if used[token] != rest:
            raise Refused("token-mismatch")
        return False

    # --- instances ---

    def describe_instance(self, view):
        nic = self.world.get("aliyun", "nic", view.nic)
        return {
            "InstanceId": view.id, "InstanceName": view.name, "HostName": view.name, "Status": POWER.get(view.state, view.state), "ZoneId": view.zone,
            "RegionId": REGIONS["aliyun"], "StoppedMode": view.stop_mode if view.state == "stopped" else "Not-applicable", "InstanceType": "ecs.g5.large",
            "SerialNumber": view.uuid, "CreationTime": "2026-01-01T00:00Z", "StartTime": "2026-01-01T00:00Z", "InstanceNetworkType": "vpc",
            "OperationLocks": {"LockReason": []}, "Tags": {"Tag": [{"TagKey": k, "TagValue": v} for k, v in view.tags.items()]},
            "VpcAttributes": {"VpcId": "vpc-bp1simulated0000000", "VSwitchId": nic.subnet, "NatIpAddress": "", "PrivateIpAddress": {"IpAddress": [view.address]}},
            "PublicIpAddress": {"IpAddress": []}, "InnerIpAddress": {"IpAddress": []}, "EipAddress": {"AllocationId": "", "IpAddress": "", "InternetChargeType": ""},
            "NetworkInterfaces": {"NetworkInterface": [{"Type": "Primary", "NetworkInterfaceId": nic.id, "PrimaryIpAddress": nic.addresses[0],
                                                        "MacAddress": nic.mac, "PrivateIpSets": self.private_sets(nic)}]}}

    def private_sets(self, nic):
        return {"PrivateIpSet": [{"PrivateIpAddress": a, "Primary": n == 0} for n, a in enumerate(nic.addresses)]}

    def ecs_DescribeInstances(self, params):
        self.need(params, "RegionId")
        wanted, name = self.ids(params, "InstanceIds"), params.get("InstanceName")
        views = [view for view in sorted(self.world.views("aliyun", "instance"), key=lambda v: v.id)
                 if (not wanted or view.id in wanted) and (not name or view.name == name) and self.tagged(view, params) and view.state != "terminated"]
        views, about = self.page(params, views)
        return dict(about, Instances={"Instance": [self.describe_instance(view) for view in views]})

    def ecs_DescribeInstanceStatus(self, params):
        self.need(params, "RegionId")
        wanted = self.numbered(params, "InstanceId")
        views = [view for view in sorted(self.world.views("aliyun", "instance"), key=lambda v: v.id) if (not wanted or view.id in wanted)
                 and view.state != "terminated"]
        views, about = self.page(params, views)
        return dict(about, InstanceStatuses={"InstanceStatus": [{"InstanceId": v.id, "Status": POWER.get(v.state, v.state)} for v in views]})

    def instance(self, params):
        return self.world.get("aliyun", "instance", self.need(params, "InstanceId"))

    def dry(self, params):
        if params.get("DryRun", "").lower() == "true":
            raise Refused("dry-run")

    def ecs_StopInstance(self, params):
        instance = self.instance(params)
        hard = params.get("ForceStop", "").lower() == "true"
        if instance.state not in ("running",) and not (hard and instance.state == "stopping"):
            raise Refused("instance-not-running", id=instance.id)
        self.dry(params)
        # The economical mode gives the machine away.
        instance.set(state="running", stop_mode=params.get("StoppedMode", "StopCharging"))
        self.world.stop_instance(instance, hard)

    def ecs_StartInstance(self, params):
        instance = self.instance(params)
        if instance.state != "stopped":
            raise Refused("instance-not-stopped", id=instance.id)
        self.dry(params)
        if instance.stop_mode == "StopCharging" and self.world.settings.get("no_stock"):
            raise Refused("error", status=403, code="OperationDenied.NoStock", message="The requested resource is sold out in the specified zone")
        self.world.start_instance(instance)

    def ecs_RebootInstance(self, params):
        instance = self.instance(params)
        if instance.state != "running":
            raise Refused("instance-not-running", id=instance.id)
        self.dry(params)
        self.world.reboot_instance(instance, params.get("ForceStop", "").lower() == "true")

    def ecs_DescribeRegions(self, params):
        return {"Regions": {"Region": [{"RegionId": REGIONS["aliyun"], "RegionEndpoint": "ecs.%s.aliyuncs.com" % REGIONS["aliyun"], "LocalName": "Hangzhou"}]}}

    # --- disks ---

    def disk_status(self, view):
        states = {item[2] for item in view.attachments}
        if view.state == "in-use":
            return "Attaching" if states == {"attaching"} else "Detaching" if states == {"detaching"} else "In_use"
        return {"available": "Available", "creating": "Creating", "error": "Error"}.get(view.state, view.state)

    def describe_disk(self, view):
        first = view.attachments[0] if view.attachments else ("", "", "", 0)
        return {
            "DiskId": view.id, "DiskName": view.name, "Status": self.disk_status(view), "ZoneId": view.zone, "RegionId": REGIONS["aliyun"], "Size": view.size,
            "SerialNumber": view.serial, "Type": "data", "Category": "cloud_essd", "Portable": True, "Encrypted": False, "Device": first[1],
            "InstanceId": first[0], "AttachedTime": stamp(first[3]) if first[0] else "", "DetachedTime": "", "CreationTime": "2026-01-01T00:00:00Z",
            "MultiAttach": "Enabled" if view.multi_attach else "Disabled", "DeleteWithInstance": False, "DiskChargeType": "PostPaid",
            "Attachments": {"Attachment": [{"InstanceId": i[0], "Device": i[1], "AttachedTime": stamp(i[3])} for i in view.attachments]},
            "MountInstances": {"MountInstance": [{"InstanceId": i[0], "Device": i[1], "AttachedTime": stamp(i[3])} for i in view.attachments]},
            "OperationLocks": {"OperationLock": []}, "Tags": {"Tag": [{"TagKey": k, "TagValue": v} for k, v in view.tags.items()]}}

    def ecs_DescribeDisks(self, params):
        self.need(params, "RegionId")
        wanted, holder = self.ids(params, "DiskIds"), params.get("InstanceId")
        views = [view for view in sorted(self.world.views("aliyun", "disk"), key=lambda v: v.id) if (not wanted or view.id in wanted)
                 and (not holder or any(item[0] == holder for item in view.attachments)) and self.tagged(view, params)]
        views, about = self.page(params, views)
        return dict(about, Disks={"Disk": [self.describe_disk(view) for view in views]})

    def disk(self, params):
        return self.world.get("aliyun", "disk", self.need(params, "DiskId"))

    def ecs_AttachDisk(self, params):
        disk, instance = self.disk(params), self.instance(params)
        if params.get("Force", "").lower() == "true":
            raise Refused("error", status=400, code="InvalidParameter.Force", message="Force is for regional disks only.")
        self.world.attach_disk(disk, instance, params.get("Device"))

    def ecs_DetachDisk(self, params):
        disk = self.disk(params)
        instance = self.instance(params)
        self.world.detach_disk(disk, instance.id)

    # --- snapshots ---

    def ecs_CreateSnapshot(self, params):
        disk = self.disk(params)
        snapshot = self.world.add("snapshot", "aliyun", "s-bp1" + self.world.word(17), disk=disk.id, state="progressing", size=disk.size, begin=time.time(),
                                  name=params.get("SnapshotName", ""))
        self.world.after(self.world.delay("snapshot"), self.finish_snapshot, snapshot)
        return {"SnapshotId": snapshot.id}

    def finish_snapshot(self, snapshot):
        with self.world.lock:
            snapshot.set(state="accomplished")

    def ecs_DescribeSnapshots(self, params):
        wanted, disk = self.ids(params, "SnapshotIds"), params.get("DiskId")
        views = [v for v in self.world.views("aliyun", "snapshot") if (not wanted or v.id in wanted) and (not disk or v.disk == disk)]
        views, about = self.page(params, views)
        return dict(about, Snapshots={"Snapshot": [{"SnapshotId": v.id, "SnapshotName": v.name, "SourceDiskId": v.disk, "Status": v.state,
                                                    "CreationTime": stamp(v.begin), "SourceDiskSize": str(v.size),
                                                    "Progress": "100%" if v.state == "accomplished" else "0%"} for v in views]})

    def ecs_DeleteSnapshot(self, params):
        snapshot = self.world.get("aliyun", "snapshot", self.need(params, "SnapshotId"))
        self.world.things.pop(("aliyun", "snapshot", snapshot.id))

    # --- private addresses ---

    def ecs_DescribeNetworkInterfaces(self, params):
        self.need(params, "RegionId")
        wanted, holder, addresses = self.numbered(params, "NetworkInterfaceId"), params.get("InstanceId"), self.numbered(params, "PrivateIpAddress")
        views = [v for v in sorted(self.world.views("aliyun", "nic"), key=lambda v: v.id) if (not wanted or v.id in wanted)
                 and (not holder or v.instance == holder) and (not addresses or set(addresses) & set(v.addresses))]
        views, about = self.page(params, views)
        return dict(about, NetworkInterfaceSets={"NetworkInterfaceSet": [{
            "NetworkInterfaceId": v.id, "InstanceId": v.instance, "Status": "InUse", "Type": "Primary", "ZoneId": v.zone, "MacAddress": v.mac,
            "PrivateIpAddress": v.addresses[0], "VSwitchId": v.subnet, "VpcId": "vpc-bp1simulated0000000", "PrivateIpSets": self.private_sets(v),
            "Ipv6Sets": {"Ipv6Set": []}, "SecurityGroupIds": {"SecurityGroupId": []}, "Tags": {"Tag": []}} for v in views]})

    def ecs_AssignPrivateIpAddresses(self, params):
        self.need(params, "RegionId")
        nic = self.world.get("aliyun", "nic", self.need(params, "NetworkInterfaceId"))
        addresses = self.numbered(params, "PrivateIpAddress")
        if not addresses:
            raise Refused("parameter-missing", name="PrivateIpAddress")
        if self.once(params, "AssignPrivateIpAddresses"):
            for address in addresses:
                if address in nic.addresses:
                    raise Refused("address-assigned", address=address)
                self.world.assign_address(nic, address)
        return {"AssignedPrivateIpAddressesSet": {"NetworkInterfaceId": nic.id, "PrivateIpSet": {"PrivateIpAddress": addresses}}}

    def ecs_UnassignPrivateIpAddresses(self, params):
        self.need(params, "RegionId")
        nic = self.world.get("aliyun", "nic", self.need(params, "NetworkInterfaceId"))
        for address in self.numbered(params, "PrivateIpAddress"):
            self.world.unassign_address(nic, address)

    # --- elastic addresses: a change takes a moment, and another one meanwhile is refused ---

    def eip_status(self, view):
        return getattr(view, "moving", "") or ("InUse" if view.nic else "Available")

    def vpc_DescribeEipAddresses(self, params):
        ids, addresses = params.get("AllocationId"), params.get("EipAddress")
        views = [v for v in sorted(self.world.views("aliyun", "eip"), key=lambda v: v.id) if (not ids or v.id in ids.split(","))
                 and (not addresses or v.address in addresses.split(","))]
        views, about = self.page(params, views)
        return dict(about, EipAddresses={"EipAddress": [self.describe_eip(v) for v in views]})

    def describe_eip(self, view):
        by_nic = getattr(view, "bound_as", "") == "NetworkInterface"
        holder = view.nic and (view.nic if by_nic else self.world.get("aliyun", "nic", view.nic).instance)
        return {"AllocationId": view.id, "IpAddress": view.address, "Status": self.eip_status(view), "InstanceId": holder,
                "InstanceType": ("NetworkInterface" if by_nic else "EcsInstance") if holder else "", "PrivateIpAddress": view.private if by_nic else "",
                "RegionId": REGIONS["aliyun"], "Bandwidth": "5", "OperationLocks": {"LockReason": []}}

    def eip(self, params):
        eip = self.world.get("aliyun", "eip", self.need(params, "AllocationId"))
        if eip.now.get("moving"):
            raise Refused("eip-conflict", id=eip.id)
        return eip

    def vpc_AssociateEipAddress(self, params):
        eip, holder, kind = self.eip(params), self.need(params, "InstanceId"), params.get("InstanceType", "EcsInstance")
        nic = self.world.get("aliyun", "nic", holder if kind == "NetworkInterface" else self.world.get("aliyun", "instance", holder).nic)
        if eip.nic:
            raise Refused("eip-bound", id=eip.id)
        if not self.once(params, "AssociateEipAddress"):
            return
        eip.set(moving="Associating")
        self.world.after(self.world.delay("address"), self.finish_eip, eip, nic, params.get("PrivateIpAddress"), kind)

    def finish_eip(self, eip, nic, private, kind):
        with self.world.lock:
            eip.set(moving="", bound_as=kind if nic else "", nic=nic.id if nic else "", private=(private or nic.addresses[0]) if nic else "")

    def vpc_UnassociateEipAddress(self, params):
        eip = self.eip(params)
        if not eip.nic:
            raise Refused("eip-free", id=eip.id)
        if params.get("InstanceId") not in (None, "", eip.nic, self.world.get("aliyun", "nic", eip.nic).instance):
            raise Refused("eip-free", id=eip.id)
        eip.set(moving="Unassociating")
        self.world.after(self.world.delay("address"), self.finish_eip, eip, None, None, "")

    # --- HaVips: several instances may announce it; who does is the master ---

    def vpc_DescribeHaVips(self, params):
        wanted = None
        for key, value in params.items():
            if key.startswith("Filter.") and key.endswith(".Key"):
                values = self.numbered(params, key[:-4] + ".Value")
                wanted = (value, values) if value in ("HaVipId", "IpAddress", "HaVipAddress") else wanted
        views = [v for v in sorted(self.world.views("aliyun", "havip"), key=lambda v: v.id)
                 if not wanted or (v.id if wanted[0] == "HaVipId" else v.address) in wanted[1]]
        views, about = self.page(params, views)
        return dict(about, HaVips={"HaVip": [{
            "HaVipId": v.id, "IpAddress": v.address, "Status": "InUse" if v.members else "Available", "MasterInstanceId": v.master, "VpcId": "vpc-bp1simulated0000000",
            "AssociatedInstances": {"associatedInstance": list(v.members)}, "AssociatedInstanceType": "EcsInstance" if v.members else "",
            "AssociatedEipAddresses": {"associatedEipAddresse": []}, "RegionId": REGIONS["aliyun"]} for v in views]})

    def havip(self, params):
        return self.world.get("aliyun", "havip", self.need(params, "HaVipId"))

    def vpc_AssociateHaVip(self, params):
        havip, instance = self.havip(params), self.instance(params)
        if instance.id in havip.members:
            raise Refused("havip-bound", id=havip.id)
        if havip.zone != instance.zone:
            raise Refused("havip-other-zone", id=havip.id)
        havip.set(members=havip.members + (instance.id,), master=havip.master or instance.id)

    def vpc_UnassociateHaVip(self, params):
        havip, instance = self.havip(params), self.instance(params)
        if instance.id not in havip.members:
            raise Refused("error", status=400, code="IncorrectHaVipStatus", message="The specified HaVip is not associated with the instance.")
        kept = tuple(i for i in havip.members if i != instance.id)
        havip.set(members=kept, master=havip.master if havip.master in kept else (kept[0] if kept else ""))

    # --- routes ---

    def route_item(self, table, route):
        kind = "Instance" if route[1] == "nic" else "local"
        target = self.world.get("aliyun", "nic", route[2]) if route[1] == "nic" else None
        if route[1] == "nic" and len(route) > 4 and route[4] == "NetworkInterface":
            kind = "NetworkInterface"
        hop = target.id if kind == "NetworkInterface" else target.instance if target else "local"
        return {"RouteTableId": table.id, "DestinationCidrBlock": route[0], "RouteEntryId": route[3], "Type": "Custom" if target else "System",
                "Status": "Available", "NextHopType": kind, "InstanceId": hop, "IpVersion": "IPv4",
                "NextHops": {"NextHop": [{"NextHopType": kind, "NextHopId": hop, "Enabled": 1, "Weight": 0}]}}

    def vpc_DescribeRouteEntryList(self, params):
        wanted = self.need(params, "RouteTableId")
        view = next((v for v in self.world.views("aliyun", "route-table") if v.id == wanted), None)
        if view is None:
            raise Refused("route-table-missing", id=wanted)
        rows = [self.route_item(view, r) for r in view.routes if params.get("DestinationCidrBlock") in (None, "", r[0])]
        return {"RouteEntrys": {"RouteEntry": rows}, "NextToken": ""}

    def vpc_ModifyRouteEntry(self, params):
        ident, kind, target = self.need(params, "RouteEntryId"), params.get("NewNextHopType", "Instance"), self.need(params, "NewNextHopId")
        nic = self.world.get("aliyun", "nic", target if kind == "NetworkInterface" else self.world.get("aliyun", "instance", target).nic)
        for table in self.world.all("aliyun", "route-table"):
            if any(r[3] == ident for r in table.routes):
                table.set(routes=tuple((r[0], "nic", nic.id, r[3], kind) if r[3] == ident else r for r in table.routes))
                return
        raise Refused("route-missing", id=ident)

    def vpc_CreateRouteEntry(self, params):
        table = self.world.get("aliyun", "route-table", self.need(params, "RouteTableId"))
        destination, kind, target = self.need(params, "DestinationCidrBlock"), params.get("NextHopType", "Instance"), self.need(params, "NextHopId")
        if any(r[0] == destination for r in table.routes):
            raise Refused("error", status=400, code="InvalidCIDRBlock.Duplicate", message="Specified CIDR block is already exists.")
        nic = self.world.get("aliyun", "nic", target if kind == "NetworkInterface" else self.world.get("aliyun", "instance", target).nic)
        ident = "rte-bp1" + self.world.word(17)
        table.set(routes=table.routes + ((destination, "nic", nic.id, ident, kind),))
        return {"RouteEntryId": ident}

    def vpc_DeleteRouteEntry(self, params):
        table = self.world.get("aliyun", "route-table", self.need(params, "RouteTableId"))
        ident, destination = params.get("RouteEntryId"), params.get("DestinationCidrBlock")
        kept = tuple(r for r in table.routes if not (r[3] == ident or (not ident and r[0] == destination)))
        if len(kept) == len(table.routes):
            raise Refused("route-missing", id=ident or destination)
        table.set(routes=kept)

    # --- classic balancer: one group a balancer (default servers), or VServerGroups with ports ---

    def group(self, params, name):
        wanted = self.need(params, name)
        return self.world.get("aliyun", "group", wanted, "group-missing")

    def group_view(self, params, name):
        wanted = self.need(params, name)
        view = next((v for v in self.world.views("aliyun", "group") if v.id == wanted), None)
        if view is None:
            raise Refused("group-missing", id=wanted)
        return view

    def backends(self, params):
        servers = json.loads(self.need(params, "BackendServers"))
        return [server if isinstance(server, dict) else {"ServerId": server} for server in servers]

    def server_rows(self, view, port=True):
        return {"BackendServer": [dict({"ServerId": key[0], "Weight": member[1], "Type": "ecs"}, **({"Port": key[1]} if port else {}))
                                  for key, member in view.members.items()]}

    def put_servers(self, group, servers):
        for server in servers:
            self.world.get("aliyun", "instance", server["ServerId"], "instance-missing")
            self.world.register(group, (server["ServerId"], int(server.get("Port") or group.port)), int(server.get("Weight", 100)))

    def drop_servers(self, group, servers):
        for server in servers:
            for key in [key for key in group.members if key[0] == server["ServerId"] and int(server.get("Port") or key[1]) == key[1]]:
                drain, group.now = group.drain, dict(group.now, drain=0)
                self.world.deregister(group, key)
                group.now = dict(group.now, drain=drain)

    def slb_AddBackendServers(self, params):
        group = self.group(params, "LoadBalancerId")
        self.put_servers(group, self.backends(params))
        return {"LoadBalancerId": group.id, "BackendServers": self.server_rows(group, False)}

    def slb_SetBackendServers(self, params):
        return self.slb_AddBackendServers(params)

    def slb_RemoveBackendServers(self, params):
        group = self.group(params, "LoadBalancerId")
        self.drop_servers(group, self.backends(params))
        return {"LoadBalancerId": group.id, "BackendServers": self.server_rows(group, False)}

    def slb_DescribeLoadBalancerAttribute(self, params):
        view = self.group_view(params, "LoadBalancerId")
        return {"LoadBalancerId": view.id, "LoadBalancerName": view.name, "LoadBalancerStatus": "active", "BackendServers": self.server_rows(view, False),
                "ListenerPorts": {"ListenerPort": [view.port]},
                "ListenerPortsAndProtocol": {"ListenerPortAndProtocol": [{"ListenerPort": view.port, "ListenerProtocol": "tcp"}]}}

    def slb_DescribeHealthStatus(self, params):
        wanted = self.need(params, "LoadBalancerId")
        views = [v for v in self.world.views("aliyun", "group") if v.id == wanted or getattr(v, "balancer", None) == wanted]
        if not views:
            raise Refused("group-missing", id=wanted)
        names = {"healthy": "normal", "unhealthy": "abnormal", "initial": "unavailable", "draining": "unavailable"}
        return {"BackendServers": {"BackendServer": [{"ServerId": key[0], "Port": key[1], "ListenerPort": view.port, "Type": "ecs", "Protocol": "tcp",
                                                      "ServerHealthStatus": names[member[0]]} for view in views for key, member in view.members.items()]}}

    def slb_AddVServerGroupBackendServers(self, params):
        group = self.group(params, "VServerGroupId")
        self.put_servers(group, self.backends(params))
        return {"VServerGroupId": group.id, "BackendServers": self.server_rows(group)}

    def slb_SetVServerGroupAttribute(self, params):
        return self.slb_AddVServerGroupBackendServers(params)

    def slb_RemoveVServerGroupBackendServers(self, params):
        group = self.group(params, "VServerGroupId")
        self.drop_servers(group, self.backends(params))
        return {"VServerGroupId": group.id, "BackendServers": self.server_rows(group)}

    def slb_DescribeVServerGroupAttribute(self, params):
        view = self.group_view(params, "VServerGroupId")
        return {"VServerGroupId": view.id, "VServerGroupName": view.name, "LoadBalancerId": getattr(view, "balancer", ""), "BackendServers": self.server_rows(view)}

    # --- application and network balancers: server groups; changes are jobs ---

    def put_group_servers(self, params):
        group = self.group(params, "ServerGroupId")
        self.put_servers(group, self.rows(params, "Servers"))
        return {"JobId": self.world.uuid(), "ServerGroupId": group.id}

    def drop_group_servers(self, params):
        group = self.group(params, "ServerGroupId")
        for server in self.rows(params, "Servers"):
            keys = [key for key in group.members if key[0] == server.get("ServerId") and int(server.get("Port") or key[1]) == key[1]]
            if not keys:
                raise Refused("error", status=404, code="ResourceNotFound.BackendServer", message="The specified resource of backendserver is not found.")
            for key in keys:
                if group.members[key][0] != "draining":
                    self.world.deregister(group, key)
        return {"JobId": self.world.uuid(), "ServerGroupId": group.id}

    def list_servers(self, params):
        view = self.group_view(params, "ServerGroupId")
        names = {"initial": "Adding", "healthy": "Available", "unhealthy": "Available", "draining": "Removing"}
        wanted = self.numbered(params, "ServerIds")
        rows = [{"ServerGroupId": view.id, "ServerId": key[0], "ServerType": "Ecs", "Port": key[1], "Weight": member[1], "Status": names[member[0]]}
                for key, member in sorted(view.members.items()) if not wanted or key[0] in wanted]
        rows, about = self.page(params, rows, 20)
        return dict(about, Servers=rows)

    def list_groups(self, params):
        wanted = self.numbered(params, "ServerGroupIds")
        views = [v for v in self.world.views("aliyun", "group") if v.type in ("alb", "nlb") and (not wanted or v.id in wanted)]
        return {"TotalCount": len(views), "ServerGroups": [{
            "ServerGroupId": v.id, "ServerGroupName": v.name, "ServerGroupStatus": "Available", "ServerGroupType": "Instance", "Protocol": "TCP",
            "ConnectionDrainConfig": {"ConnectionDrainEnabled": v.drain > 0, "ConnectionDrainTimeout": int(v.drain)},
            "ConnectionDrainEnabled": v.drain > 0, "ConnectionDrainTimeout": int(v.drain), "RelatedListenerIds": ["lsn-" + v.id[4:]]} for v in views]}

    def listener_health(self, params):
        listener = self.need(params, "ListenerId")
        view = next((v for v in self.world.views("aliyun", "group") if "lsn-" + v.id[4:] == listener), None)
        if view is None:
            raise Refused("error", status=404, code="ResourceNotFound.Listener", message="The specified resource of listener is not found.")
        bad = [{"ServerId": key[0], "ServerIp": "", "Port": key[1], "Status": "Initial" if member[0] == "initial" else "Unhealthy",
                "Reason": {"ReasonCode": "CONNECT_TIMEOUT"}} for key, member in view.members.items() if member[0] in ("initial", "unhealthy")]
        info = {"ServerGroupId": view.id, "HealthCheckEnabled": "on", "HeathCheckEnabled": True, "NonNormalServers": bad, "ActionType": "ForwardGroup"}
        return {"ListenerHealthStatus": [{"ListenerId": listener, "ListenerPort": view.port, "ListenerProtocol": "TCP", "ServerGroupInfos": [info]}],
                "NextToken": "", "TotalCount": 1, "RuleHealthStatus": []}

    alb_AddServersToServerGroup = nlb_AddServersToServerGroup = put_group_servers
    alb_UpdateServerGroupServersAttribute = nlb_UpdateServerGroupServersAttribute = put_group_servers
    alb_RemoveServersFromServerGroup = nlb_RemoveServersFromServerGroup = drop_group_servers
    alb_ListServerGroupServers = nlb_ListServerGroupServers = list_servers
    alb_ListServerGroups = nlb_ListServerGroup = nlb_ListServerGroups = list_groups
    alb_GetListenerHealthStatus = nlb_GetListenerHealthStatus = listener_health

    def sts_GetCallerIdentity(self, params):
        return {"AccountId": "123456789012", "IdentityType": "AssumedRoleUser", "Arn": "acs:ram::123456789012:assumed-role/vigil/i"}
