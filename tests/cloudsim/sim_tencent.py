# SPDX-License-Identifier: GPL-2.0-or-later
"""Tencent Cloud: CVM, CBS, VPC and CLB: JSON in, JSON out, and errors with HTTP 200."""
import fnmatch
import json
import time

from sim_http import json_reply
from sim_state import Refused

POWER = {"pending": "STARTING", "running": "RUNNING", "stopping": "STOPPING", "stopped": "STOPPED", "shutting-down": "TERMINATING", "terminated": "SHUTDOWN"}

REFUSALS = {
    "instance-missing": ("InvalidInstanceId.NotFound", "The specified instance `{id}` does not exist."),
    "instance-malformed": ("InvalidInstanceId.Malformed", "Invalid instance ID `{id}`."),
    "disk-missing": ("InvalidDiskId.NotFound", "The DiskId `{id}` does not exist."),
    "nic-missing": ("ResourceNotFound", "The network interface `{id}` does not exist."),
    "eip-missing": ("InvalidAddressId.NotFound", "The EIP `{id}` does not exist."),
    "havip-missing": ("ResourceNotFound", "The HAVIP `{id}` does not exist."),
    "snapshot-missing": ("InvalidSnapshotId.NotFound", "The snapshot `{id}` does not exist."),
    "route-table-missing": ("ResourceNotFound", "The route table `{id}` does not exist."),
    "route-missing": ("ResourceNotFound", "The route does not exist."),
    "group-missing": ("InvalidParameter.LBIdNotFound", "LB `{id}` not found."),
    "attached-here": ("InvalidDisk.Attached", "The disk `{id}` is attached already."),
    "attached-elsewhere": ("ResourceUnavailable.Attached", "The disk `{id}` is attached to another CVM."),
    "disk-detaching": ("InvalidDisk.Busy", "The disk `{id}` is busy, retry later."),
    "disk-creating": ("ResourceBusy", "The disk `{id}` is busy, retry later."),
    "disk-error": ("UnsupportedOperation.StateError", "The state of the disk `{id}` does not support the operation."),
    "disk-deleted": ("InvalidDiskId.NotFound", "The DiskId `{id}` does not exist."),
    "other-zone": ("ResourceUnavailable.ZoneNotMatch", "The disk `{id}` and the CVM are not in the same zone."),
    "instance-state": ("InvalidInstanceState", "The current status of the specified instance does not support this operation."),
    "instance-not-running": ("UnsupportedOperation.InstanceState{state}", "The instance `{id}` is in the state {state}, which does not support this operation."),
    "instance-not-stopped": ("UnsupportedOperation.InstanceState{state}", "The instance `{id}` is in the state {state}, which does not support this operation."),
    "instance-operating": ("OperationDenied.InstanceOperationInProgress", "The instance `{id}` is operating."),
    "disk-limit": ("LimitExceeded.InstanceAttachedDisk", "The number of disks on the instance exceeds the limit."),
    "device-used": ("InvalidParameterValue", "The device is in use."),
    "not-attached": ("UnsupportedOperation.StateError", "The disk `{id}` is not attached."),
    "attached-to-other": ("InvalidParameterValue", "The disk `{id}` is not attached to the instance `{instance}`."),
    "address-assigned": ("ResourceInUse", "The address {address} is in use."),
    "address-not-assigned": ("ResourceNotFound", "The private IP address {address} does not exist on the network interface."),
    "eip-bound": ("InvalidAddressIdState.InstanceBinded", "The EIP `{id}` is bound already."),
    "eip-free": ("InvalidAddressIdStatus.NotPermit", "The EIP `{id}` is not bound."),
    "eip-conflict": ("MutexOperation.TaskRunning", "A task of the EIP `{id}` is running."),
    "havip-bound": ("UnsupportedOperation.ResourceAlreadyAssociated", "The HAVIP `{id}` is associated with it already."),
    "havip-free": ("ResourceNotFound", "The HAVIP `{id}` is not associated with it."),
    "member-missing": ("InvalidParameter", "Some targets are not bound."),
    "lb-busy": ("FailedOperation.ResourceInOperating", "The balancer is in operation."),
    "parameter-missing": ("MissingParameter", "The request is missing the parameter `{name}`."),
    "denied": ("UnauthorizedOperation", "You are not authorized to perform operation `{name}`."),
    "no-action": ("InvalidAction", "The action `{name}` is not found."),
    "internal": ("InternalError", "An internal error has occurred. Retry your request, but if the problem persists, contact us."),
    "unavailable": ("InternalServerError", "The server is not available."),
    "throttle": ("RequestLimitExceeded", "Your current request times equals to `21` in a second, which exceeds the frequency limit `20` for a second."),
    "busy": ("ResourceBusy", "Resource busy, retry later."),
    "expired": ("AuthFailure.TokenFailure", "The token is invalid."),
    "sign-missing": ("AuthFailure.SignatureFailure", "The provided credentials could not be validated. {detail}"),
    "sign-mismatch": ("AuthFailure.SignatureFailure", "The provided credentials could not be validated. Please check your signature is correct."),
    "sign-skew": ("AuthFailure.SignatureExpire", "The provided credentials could not be validated because of exceeding request time limit (5 minutes)."),
    "sign-unknown-key": ("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct."),
    "sign-token": ("AuthFailure.TokenFailure", "The token is invalid."),
    "sign-token-expired": ("AuthFailure.TokenFailure", "The token is expired."),
    "sign-not-signed": ("AuthFailure.SignatureFailure", "{detail} must be signed."),
    "sign-body": ("AuthFailure.SignatureFailure", "The body does not match."),
}


class Tencent:
    name = "tencent"

    def __init__(self, world):
        self.world = world

    def identify(self, request, signed=None):
        action = request.header("x-tc-action") or ""
        words = (request.header("authorization") or "").partition("Credential=")[2].split(",")[0].split("/")
        try:
            params = json.loads(request.body) if request.body else {}
        except ValueError:
            params = {}
        return words[2] if len(words) > 2 else "cvm", action, params if isinstance(params, dict) else {}, not action.startswith("Describe")

    def run(self, service, action, params, request):
        method = getattr(self, service + "_" + action, None)
        if method is None:
            raise Refused("no-action", name=action)
        if not request.header("x-tc-version"):
            raise Refused("parameter-missing", name="Version")
        # Tasks are asked for by the request's id.
        self.request = self.world.uuid()
        return json_reply(200, {"Response": dict(method(params) or {}, RequestId=self.request)})

    def refuse(self, refused, service="cvm", action=""):
        code, message = REFUSALS.get(refused.reason) or ("InternalError", refused.reason)
        about = dict({"id": "", "detail": "", "name": action, "address": "", "instance": "", "state": ""}, **refused.about)
        about["state"] = POWER.get(about["state"], about["state"]).capitalize()
        status = 200
        if refused.reason == "error":
            status, code, message = about.get("status", 200), about.get("code", "InternalError"), about.get("message", "An internal error has occurred.")
        return json_reply(status, {"Response": {"Error": {"Code": code.format(**about), "Message": message.format(**about)}, "RequestId": self.world.uuid()}})

    # --- parameters ---

    def need(self, params, name):
        if params.get(name) in (None, "", []):
            raise Refused("parameter-missing", name=name)
        return params[name]

    def page(self, params, items):
        begin, size = int(params.get("Offset") or 0), int(params.get("Limit") or 20)
        return items[begin:begin + size], len(items)

    def passes(self, params, view, fields):
        for row in params.get("Filters") or ():
            name, wanted = row.get("Name"), row.get("Values") or ()
            if name.startswith("tag:"):
                have = [view.tags[name[4:]]] if name[4:] in view.tags else []
            elif name == "tag-key":
                have = list(view.tags)
            elif name in fields:
                have = fields[name](view)
            else:
                raise Refused("error", code="InvalidFilter", message="The filter `%s` is not valid." % name)
            if not any(fnmatch.fnmatchcase(str(value), str(pattern)) for value in have for pattern in wanted):
                return False
        return True

    def sorted_views(self, kind):
        return sorted(self.world.views("tencent", kind), key=lambda view: view.id)

    def chosen(self, params, name, kind, fields):
        wanted = params.get(name) or []
        if not isinstance(wanted, list):
            raise Refused("error", code="InvalidParameter", message="The type of `%s` is not array." % name)
        return [v for v in self.sorted_views(kind) if (not wanted or v.id in wanted) and self.passes(params, v, fields)]

    # --- instances ---

    INSTANCE_FILTERS = {"instance-id": lambda v: [v.id], "zone": lambda v: [v.zone], "instance-name": lambda v: [v.name],
                        "private-ip-address": lambda v: [v.address], "instance-state": lambda v: [POWER.get(v.state, v.state)]}

    def describe_instance(self, view):
        nic = self.world.get("tencent", "nic", view.nic)
        moving = view.state in ("pending", "stopping") or view.rebooting
        state = "REBOOTING" if view.rebooting and view.state == "running" else POWER.get(view.state, view.state)
        return {
            "InstanceId": view.id, "InstanceName": view.name, "InstanceState": state, "Placement": {"Zone": view.zone, "ProjectId": 0},
            "PrivateIpAddresses": list(nic.addresses), "PublicIpAddresses": None, "StopChargingMode": view.stop_mode or "NOT_APPLICABLE",
            "LatestOperation": "StopInstances" if view.operation else "", "LatestOperationState": "OPERATING" if moving else "SUCCESS", "RestrictState": "NORMAL",
            "Tags": [{"Key": k, "Value": v} for k, v in view.tags.items()], "Uuid": view.uuid, "InstanceType": "S2.SMALL2",
            "VirtualPrivateCloud": {"VpcId": "vpc-simulat0", "SubnetId": nic.subnet, "AsVpcGateway": False, "PrivateIpAddresses": [view.address]},
            "DataDisks": [{"DiskId": d.id, "DiskSize": d.size, "DiskType": "CLOUD_SSD"} for d in self.world.all("tencent", "disk")
                          if any(i[0] == view.id for i in d.attachments)]}

    def cvm_DescribeInstances(self, params):
        wanted = params.get("InstanceIds") or []
        for ident in wanted:
            if not str(ident).startswith("ins-") or not str(ident)[4:].isalnum():
                raise Refused("instance-malformed", id=ident)
        views = [v for v in self.chosen(params, "InstanceIds", "instance", self.INSTANCE_FILTERS) if v.state != "terminated"]
        missing = set(wanted) - {v.id for v in views}
        if missing:
            raise Refused("instance-missing", id=missing.pop())
        views, total = self.page(params, views)
        return {"TotalCount": total, "InstanceSet": [self.describe_instance(v) for v in views]}

    def cvm_DescribeInstancesStatus(self, params):
        found = self.cvm_DescribeInstances(params)
        return {"TotalCount": found["TotalCount"], "InstanceStatusSet": [{k: row[k] for k in ("InstanceId", "InstanceState")} for row in found["InstanceSet"]]}

    def instances(self, params):
        found = [self.world.get("tencent", "instance", ident) for ident in self.need(params, "InstanceIds")]
        for instance in found:
            if instance.state in ("pending", "stopping") or instance.rebooting:
                raise Refused("instance-operating", id=instance.id)
        return found

    def cvm_StopInstances(self, params):
        hard = params.get("StopType", "SOFT") == "HARD" or params.get("ForceStop") is True
        for instance in self.instances(params):
            if instance.state != "running":
                raise Refused("instance-not-running", id=instance.id, state=instance.state)
            instance.set(stop_mode=params.get("StoppedMode", "KEEP_CHARGING"))
            self.world.stop_instance(instance, hard)

    def cvm_StartInstances(self, params):
        for instance in self.instances(params):
            self.world.start_instance(instance)

    def cvm_RebootInstances(self, params):
        for instance in self.instances(params):
            self.world.reboot_instance(instance, params.get("StopType", "SOFT") == "HARD" or params.get("ForceReboot") is True)

    def cvm_DescribeRegions(self, params):
        return {"TotalCount": 1, "RegionSet": [{"Region": "ap-guangzhou", "RegionName": "Guangzhou", "RegionState": "AVAILABLE"}]}

    def cvm_DescribeZones(self, params):
        return {"TotalCount": 1, "ZoneSet": [{"Zone": "ap-guangzhou-3", "ZoneName": "Guangzhou 3", "ZoneId": "100003", "ZoneState": "AVAILABLE"}]}

    # --- disks ---

    def disk_state(self, view):
        states = {item[2] for item in view.attachments}
        if view.state == "in-use":
            return "ATTACHING" if states == {"attaching"} else "DETACHING" if states == {"detaching"} else "ATTACHED"
        return {"available": "UNATTACHED", "creating": "CREATING", "error": "DUMPING"}.get(view.state, view.state.upper())

    def describe_disk(self, view):
        holders = [item[0] for item in view.attachments]
        state = self.disk_state(view)
        return {
            "DiskId": view.id, "DiskName": view.name, "DiskState": state, "DiskSize": view.size, "DiskUsage": "DATA_DISK", "DiskType": "CLOUD_SSD",
            "Attached": state in ("ATTACHED", "DETACHING"), "InstanceId": holders[0] if holders else "", "InstanceIdList": holders, "InstanceType": "CVM" if holders else "",
            "Placement": {"Zone": view.zone, "ProjectId": 0}, "Portable": True, "Shareable": view.multi_attach, "Encrypt": False, "AttachMode": "PF",
            "DeleteWithInstance": False, "CreateTime": "2026-01-01 00:00:00", "LastAttachInsId": holders[0] if holders else "", "SnapshotAbility": True,
            "Tags": [{"Key": k, "Value": v} for k, v in view.tags.items()], "DiskChargeType": "POSTPAID_BY_HOUR", "Migrating": False, "Rollbacking": False}

    def cbs_DescribeDisks(self, params):
        fields = {"disk-id": lambda v: [v.id], "instance-id": lambda v: [i[0] for i in v.attachments], "disk-state": lambda v: [self.disk_state(v)],
                  "disk-usage": lambda v: ["DATA_DISK"], "zone": lambda v: [v.zone], "disk-name": lambda v: [v.name]}
        views, total = self.page(params, self.chosen(params, "DiskIds", "disk", fields))
        return {"TotalCount": total, "DiskSet": [self.describe_disk(v) for v in views]}

    def cbs_AttachDisks(self, params):
        instance = self.world.get("tencent", "instance", self.need(params, "InstanceId"))
        for ident in self.need(params, "DiskIds"):
            self.world.attach_disk(self.world.get("tencent", "disk", ident), instance, None)

    def cbs_DetachDisks(self, params):
        for ident in self.need(params, "DiskIds"):
            self.world.detach_disk(self.world.get("tencent", "disk", ident), params.get("InstanceId"))

    def cbs_CreateSnapshot(self, params):
        disk = self.world.get("tencent", "disk", self.need(params, "DiskId"))
        snapshot = self.world.add("snapshot", "tencent", "snap-" + self.world.word(8), disk=disk.id, state="CREATING", size=disk.size, begin=time.time(),
                                  name=params.get("SnapshotName", ""))
        self.world.after(self.world.delay("snapshot"), self.finish_snapshot, snapshot)
        return {"SnapshotId": snapshot.id}

    def finish_snapshot(self, snapshot):
        with self.world.lock:
            snapshot.set(state="NORMAL")

    def cbs_DescribeSnapshots(self, params):
        views, total = self.page(params, self.chosen(params, "SnapshotIds", "snapshot", {"disk-id": lambda v: [v.disk], "snapshot-id": lambda v: [v.id]}))
        return {"TotalCount": total, "SnapshotSet": [{"SnapshotId": v.id, "DiskId": v.disk, "SnapshotState": v.state, "DiskSize": v.size, "SnapshotName": v.name,
                                                      "Percent": 100 if v.state == "NORMAL" else 0} for v in views]}

    def cbs_DeleteSnapshots(self, params):
        for ident in self.need(params, "SnapshotIds"):
            self.world.get("tencent", "snapshot", ident)
            self.world.things.pop(("tencent", "snapshot", ident))

    # --- tasks: what has a TaskId, or is asked for by its request id ---

    def task(self, call, *words, ident=None):
        task = self.world.add("task", "tencent", ident or str(self.world.random.randrange(10 ** 7, 10 ** 8)), status="RUNNING")
        self.world.after(self.world.delay("address"), self.finish_task, task, call, words)
        return task.id

    def finish_task(self, task, call, words):
        with self.world.lock:
            try:
                call(*words)
                task.set(status="SUCCESS")
            except Refused as refused:
                task.set(status="FAILED", reason=refused.reason)

    def task_status(self, params):
        return self.world.get("tencent", "task", str(self.need(params, "TaskId")), "no-action").status

    def vpc_DescribeTaskResult(self, params):
        return {"TaskId": int(params["TaskId"]), "Result": self.task_status(params)}

    def vpc_DescribeVpcTaskResult(self, params):
        return {"Status": self.task_status(params), "Output": "", "Result": []}

    def clb_DescribeTaskStatus(self, params):
        return {"Status": {"SUCCESS": 0, "FAILED": 1, "RUNNING": 2}[self.task_status(params)], "LoadBalancerIds": None}

    # --- addresses ---

    def vpc_DescribeNetworkInterfaces(self, params):
        fields = {"network-interface-id": lambda v: [v.id], "attachment.instance-id": lambda v: [v.instance], "address-ip": lambda v: list(v.addresses),
                  "subnet-id": lambda v: [v.subnet], "vpc-id": lambda v: ["vpc-simulat0"], "is-primary": lambda v: ["true", "True", "TRUE"]}
        views, total = self.page(params, self.chosen(params, "NetworkInterfaceIds", "nic", fields))
        return {"TotalCount": total, "NetworkInterfaceSet": [{
            "NetworkInterfaceId": v.id, "NetworkInterfaceName": "", "VpcId": "vpc-simulat0", "SubnetId": v.subnet, "Primary": True, "State": "AVAILABLE",
            "MacAddress": v.mac, "Zone": v.zone, "Attachment": {"InstanceId": v.instance, "DeviceIndex": 0}, "TagSet": [], "Ipv6AddressSet": [],
            "PrivateIpAddressSet": [{"PrivateIpAddress": a, "Primary": n == 0, "PublicIpAddress": "", "AddressId": "", "State": self.address_state(v, a),
                                     "IsWanIpBlocked": False, "Description": ""} for n, a in enumerate(v.addresses)]} for v in views]}

    def address_state(self, view, address):
        moving = self.world.settings.get("moving_addresses", {})
        return moving.get(address, "AVAILABLE")

    def vpc_AssignPrivateIpAddresses(self, params):
        nic = self.world.get("tencent", "nic", self.need(params, "NetworkInterfaceId"))
        rows = self.need(params, "PrivateIpAddresses")
        for row in rows:
            if row["PrivateIpAddress"] in nic.addresses:
                raise Refused("address-assigned", address=row["PrivateIpAddress"])
            self.world.assign_address(nic, row["PrivateIpAddress"])
        return {"PrivateIpAddressSet": [{"PrivateIpAddress": row["PrivateIpAddress"], "Primary": False, "State": "PENDING"} for row in rows]}

    def vpc_UnassignPrivateIpAddresses(self, params):
        nic = self.world.get("tencent", "nic", self.need(params, "NetworkInterfaceId"))
        for row in self.need(params, "PrivateIpAddresses"):
            self.world.unassign_address(nic, row["PrivateIpAddress"])

    def vpc_MigratePrivateIpAddress(self, params):
        source = self.world.get("tencent", "nic", self.need(params, "SourceNetworkInterfaceId"))
        target = self.world.get("tencent", "nic", self.need(params, "DestinationNetworkInterfaceId"))
        address = self.need(params, "PrivateIpAddress")
        if address not in source.addresses[1:]:
            raise Refused("address-not-assigned", address=address)
        self.task(self.migrate, source, target, address, ident=self.request)

    def migrate(self, source, target, address):
        self.world.unassign_address(source, address)
        self.world.assign_address(target, address)

    def vpc_DescribeAddresses(self, params):
        fields = {"address-id": lambda v: [v.id], "address-ip": lambda v: [v.address], "public-ip-address": lambda v: [v.address], "network-interface-id": lambda v: [v.nic],
                  "instance-id": lambda v: [self.holder(v)], "private-ip-address": lambda v: [v.private]}
        views = self.chosen(params, "AddressIds", "eip", fields)
        missing = set(params.get("AddressIds") or ()) - {v.id for v in views}
        if missing:
            raise Refused("eip-missing", id=missing.pop())
        views, total = self.page(params, views)
        return {"TotalCount": total, "AddressSet": [{
            "AddressId": v.id, "AddressName": "", "AddressIp": v.address, "AddressType": "EIP", "AddressStatus": getattr(v, "moving", "") or ("BIND" if v.nic else "UNBIND"),
            "InstanceId": self.holder(v), "InstanceType": "CVM" if v.nic else None, "NetworkInterfaceId": v.nic or None, "PrivateAddressIp": v.private or None,
            "IsArrears": False, "IsBlocked": False} for v in views]}

    def holder(self, view):
        return self.world.get("tencent", "nic", view.nic).instance if view.nic else None

    def eip(self, params):
        eip = self.world.get("tencent", "eip", self.need(params, "AddressId"))
        if eip.now.get("moving"):
            raise Refused("eip-conflict", id=eip.id)
        return eip

    def vpc_AssociateAddress(self, params):
        eip = self.eip(params)
        nic = params.get("NetworkInterfaceId") or self.world.get("tencent", "instance", self.need(params, "InstanceId")).nic
        nic = self.world.get("tencent", "nic", nic)
        if eip.nic:
            raise Refused("eip-bound", id=eip.id)
        eip.set(moving="BINDING")
        return {"TaskId": self.task(self.finish_bind, eip, nic, params.get("PrivateIpAddress"))}

    def finish_bind(self, eip, nic, private):
        eip.set(moving="", nic=nic.id if nic else "", private=(private or nic.addresses[0]) if nic else "")

    def vpc_DisassociateAddress(self, params):
        eip = self.eip(params)
        if not eip.nic:
            raise Refused("eip-free", id=eip.id)
        eip.set(moving="UNBINDING")
        return {"TaskId": self.task(self.finish_bind, eip, None, None)}

    def vpc_DescribeHaVips(self, params):
        fields = {"havip-id": lambda v: [v.id], "vip": lambda v: [v.address], "havip-vip": lambda v: [v.address]}
        views, total = self.page(params, self.chosen(params, "HaVipIds", "havip", fields))
        rows = []
        for v in views:
            master = self.world.things.get(("tencent", "instance", v.master))
            rows.append({"HaVipId": v.id, "HaVipName": "", "Vip": v.address, "VpcId": "vpc-simulat0", "State": "AVAILABLE", "AddressIp": "", "Business": "cvm",
                         "InstanceId": v.master, "NetworkInterfaceId": master.nic if master else "",
                         "HaVipAssociationSet": [{"HaVipId": v.id, "InstanceId": m, "InstanceType": "CVM"} for m in v.members]})
        return {"TotalCount": total, "HaVipSet": rows}

    def havip_members(self, params):
        for row in self.need(params, "HaVipAssociationSet"):
            havip = self.world.get("tencent", "havip", self.need(row, "HaVipId"))
            yield havip, self.world.get("tencent", "instance", self.need(row, "InstanceId")).id

    def vpc_AssociateHaVipInstance(self, params):
        for havip, instance in self.havip_members(params):
            if instance in havip.members:
                raise Refused("havip-bound", id=havip.id)
            havip.set(members=havip.members + (instance,), master=havip.master or instance)

    def vpc_DisassociateHaVipInstance(self, params):
        # Who announced it last stays its holder until another does.
        for havip, instance in self.havip_members(params):
            if instance not in havip.members:
                raise Refused("havip-free", id=havip.id)
            havip.set(members=tuple(i for i in havip.members if i != instance))

    # --- routes: the next hop is a private address, or a HaVip ---

    def route_row(self, table, route):
        nic = self.world.things.get(("tencent", "nic", route[2]))
        return {"RouteTableId": table.id, "RouteId": abs(hash(route[3])) % 100000, "RouteItemId": route[3], "DestinationCidrBlock": route[0],
                "GatewayType": "NORMAL_CVM" if nic else "LOCAL_GATEWAY", "GatewayId": nic.addresses[0] if nic else "Local", "RouteType": "USER" if nic else "NETD",
                "RouteDescription": "", "Enabled": True, "PublishedToVbc": False, "DestinationIpv6CidrBlock": ""}

    def describe_table(self, view):
        return {"RouteTableId": view.id, "VpcId": "vpc-simulat0", "RouteTableName": "", "Main": False, "AssociationSet": [], "TagSet": [],
                "RouteSet": [self.route_row(view, r) for r in view.routes]}

    def vpc_DescribeRouteTables(self, params):
        fields = {"route-table-id": lambda v: [v.id], "vpc-id": lambda v: ["vpc-simulat0"]}
        views, total = self.page(params, self.chosen(params, "RouteTableIds", "route-table", fields))
        return {"TotalCount": total, "RouteTableSet": [self.describe_table(v) for v in views]}

    def next_hop(self, row):
        address = self.need(row, "GatewayId")
        nic = next((n for n in self.world.all("tencent", "nic") if n.addresses[0] == address), None)
        if row.get("GatewayType") != "NORMAL_CVM" or nic is None:
            raise Refused("error", code="InvalidParameterValue", message="The gateway `%s` is not valid." % address)
        return nic

    def vpc_ReplaceRoutes(self, params):
        table = self.world.get("tencent", "route-table", self.need(params, "RouteTableId"))
        old = self.describe_table(table)["RouteSet"]
        for row in self.need(params, "Routes"):
            if not any(r[3] == row.get("RouteItemId") for r in table.routes):
                raise Refused("route-missing", id=row.get("RouteItemId"))
            nic = self.next_hop(row)
            table.set(routes=tuple((row.get("DestinationCidrBlock", r[0]), "nic", nic.id, r[3]) if r[3] == row["RouteItemId"] else r for r in table.routes))
        return {"OldRouteSet": old, "NewRouteSet": self.describe_table(table)["RouteSet"]}

    def vpc_CreateRoutes(self, params):
        table = self.world.get("tencent", "route-table", self.need(params, "RouteTableId"))
        for row in self.need(params, "Routes"):
            if any(r[0] == row.get("DestinationCidrBlock") for r in table.routes):
                raise Refused("error", code="InvalidParameterValue.Duplicate", message="The route exists.")
            nic = self.next_hop(row)
            table.set(routes=table.routes + ((row["DestinationCidrBlock"], "nic", nic.id, "rti-" + self.world.word(8)),))
        return {"TotalCount": 1, "RouteTableSet": [self.describe_table(table)]}

    def vpc_DeleteRoutes(self, params):
        table = self.world.get("tencent", "route-table", self.need(params, "RouteTableId"))
        items = {row.get("RouteItemId") for row in self.need(params, "Routes")}
        table.set(routes=tuple(r for r in table.routes if r[3] not in items))
        return {"RouteSet": []}

    # --- balancers: a group's id is BALANCER/LISTENER; a balancer does one thing at a time ---

    def group(self, params, balancer="LoadBalancerId"):
        ident = "%s/%s" % (self.need(params, balancer), self.need(params, "ListenerId"))
        return self.world.get("tencent", "group", ident)

    def targets(self, params):
        for row in self.need(params, "Targets"):
            ident = row.get("InstanceId") or row.get("EniIp")
            if row.get("InstanceId"):
                self.world.get("tencent", "instance", row["InstanceId"])
            yield (ident, int(self.need(row, "Port"))), row

    def change(self, group, call, *words):
        if group.now.get("operating"):
            raise Refused("lb-busy", id=group.id)
        group.set(operating=True)
        self.task(self.finish_change, group, call, words, ident=self.request)

    def finish_change(self, group, call, words):
        group.set(operating=False)
        call(*words)

    def clb_RegisterTargets(self, params):
        group = self.group(params)
        rows = list(self.targets(params))
        self.change(group, lambda: [self.world.register(group, key, int(row.get("Weight", 10))) for key, row in rows])

    def clb_DeregisterTargets(self, params):
        group = self.group(params)
        keys = [key for key, _ in self.targets(params)]
        if not any(key in group.members for key in keys):
            raise Refused("member-missing")
        self.change(group, lambda: [self.world.deregister(group, key) for key in keys if key in group.members])

    def clb_ModifyTargetWeight(self, params):
        group = self.group(params)
        rows = list(self.targets(params))
        if not all(key in group.members for key, _ in rows):
            raise Refused("member-missing")

        def modify():
            members = dict(group.members)
            for key, row in rows:
                members[key] = (members[key][0], int(row.get("Weight", params.get("Weight", 10))))
            group.set(members=members)
        self.change(group, modify)

    def listener_views(self, balancer, listeners):
        views = [v for v in self.sorted_views("group") if v.id.split("/")[0] == balancer]
        if not views:
            raise Refused("group-missing", id=balancer)
        return [v for v in views if not listeners or v.id.split("/")[1] in listeners]

    def target_row(self, key, member):
        instance = self.world.things.get(("tencent", "instance", key[0]))
        return {"Type": "CVM", "InstanceId": key[0], "Port": key[1], "Weight": member[1], "PrivateIpAddresses": [instance.address] if instance else [key[0]],
                "PublicIpAddresses": None, "InstanceName": instance.name if instance else "", "RegisteredTime": "2026-01-01 00:00:00", "EniId": ""}

    def clb_DescribeTargets(self, params):
        views = self.listener_views(self.need(params, "LoadBalancerId"), params.get("ListenerIds"))
        return {"Listeners": [{"ListenerId": v.id.split("/")[1], "Protocol": "TCP", "Port": v.port, "Rules": None, "EndPort": 0,
                               "Targets": [self.target_row(k, m) for k, m in v.members.items() if m[0] != "draining"]} for v in views]}

    def clb_DescribeTargetHealth(self, params):
        balancers = []
        for ident in self.need(params, "LoadBalancerIds"):
            listeners = [{"ListenerId": v.id.split("/")[1], "ListenerName": v.name, "Port": v.port, "Protocol": "TCP", "Rules": [{
                "LocationId": None, "Domain": None, "Url": None, "Targets": [
                    {"TargetId": k[0], "Port": k[1], "IP": self.target_row(k, m)["PrivateIpAddresses"][0], "HealthStatus": m[0] == "healthy",
                     "HealthStatusDetail": {"healthy": "Alive", "unhealthy": "Dead", "initial": "Unknown"}.get(m[0], "Unknown")}
                    for k, m in v.members.items() if m[0] != "draining"]}]} for v in self.listener_views(ident, params.get("ListenerIds"))]
            balancers.append({"LoadBalancerId": ident, "LoadBalancerName": "lb", "Listeners": listeners})
        return {"LoadBalancers": balancers}

    def clb_DescribeLoadBalancers(self, params):
        wanted = params.get("LoadBalancerIds") or []
        idents = sorted({v.id.split("/")[0] for v in self.sorted_views("group")})
        return {"TotalCount": len(idents), "LoadBalancerSet": [{"LoadBalancerId": i, "LoadBalancerName": "lb", "Status": 1} for i in idents if not wanted or i in wanted]}

    def sts_GetCallerIdentity(self, params):
        return {"Arn": "qcs::sts:::assumed-role/vigil", "AccountId": "123456789012", "UserId": "1", "PrincipalId": "1", "Type": "CAMRole"}
