# SPDX-License-Identifier: GPL-2.0-or-later
"""AWS: EC2 (2016-11-15), Elastic Load Balancing (2015-12-01) and a little STS, by the Query protocol: form in, XML out."""
import fnmatch
import time
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from sim_http import Reply
from sim_state import ACCOUNT, REGIONS, Refused

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
NAMESPACES = {"ec2": "http://ec2.amazonaws.com/doc/2016-11-15/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
              "elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"}
VERSIONS = {"2016-11-15": "ec2", "2015-12-01": "elasticloadbalancing", "2011-06-15": "sts"}

# What the core refuses -> status, code, message
REFUSALS = {
    "instance-missing": (400, "InvalidInstanceID.NotFound", "The instance ID '{id}' does not exist"),
    "disk-missing": (400, "InvalidVolume.NotFound", "The volume '{id}' does not exist."),
    "nic-missing": (400, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{id}' does not exist"),
    "eip-missing": (400, "InvalidAllocationID.NotFound", "The allocation ID '{id}' does not exist"),
    "snapshot-missing": (400, "InvalidSnapshot.NotFound", "The snapshot '{id}' does not exist."),
    "route-table-missing": (400, "InvalidRouteTableID.NotFound", "The routeTable ID '{id}' does not exist"),
    "route-missing": (400, "InvalidParameterValue", "There is no route defined for '{destination}' in the route table. Use CreateRoute instead."),
    "group-missing": (400, "TargetGroupNotFound", "One or more target groups not found"),
    "attached-here": (400, "VolumeInUse", "{id} is already attached to an instance"),
    "attached-elsewhere": (400, "VolumeInUse", "{id} is already attached to an instance"),
    "disk-detaching": (400, "IncorrectState", "{id} is not 'available'."),
    "disk-creating": (400, "IncorrectState", "{id} is not 'available'."),
    "disk-error": (400, "IncorrectState", "{id} is not 'available'."),
    "disk-deleted": (400, "InvalidVolume.NotFound", "The volume '{id}' does not exist."),
    "other-zone": (400, "InvalidVolume.ZoneMismatch", "The volume '{id}' is not in the same availability zone as instance"),
    "instance-state": (400, "IncorrectState", "Instance '{id}' is not 'running'."),
    "instance-not-running": (400, "IncorrectInstanceState", "The instance '{id}' is not in a state from which it can be stopped."),
    "instance-not-stopped": (400, "IncorrectInstanceState", "The instance '{id}' is not in a state from which it can be started."),
    "disk-limit": (400, "AttachmentLimitExceeded", "You have reached the limit on the number of volumes attached to '{id}'."),
    "device-used": (400, "InvalidParameterValue", "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"),
    "not-attached": (400, "IncorrectState", "Volume '{id}'is in the 'available' state."),
    "attached-to-other": (400, "InvalidAttachment.NotFound", "Volume '{id}' is not attached to instance '{instance}'"),
    "address-assigned": (400, "InvalidParameterValue", "{address} is already assigned to another interface."),
    "address-not-assigned": (400, "InvalidParameterValue", "Some of {address} are not assigned to interface {nic}"),
    "eip-bound": (400, "Resource.AlreadyAssociated", "resource {id} is already associated with associate-id"),
    "eip-free": (400, "InvalidAssociationID.NotFound", "The association ID '{id}' does not exist"),
    "member-missing": (400, "InvalidTarget", "The following targets are not registered"),
    "parameter-missing": (400, "MissingParameter", "The request must contain the parameter {name}"),
    "id-malformed": (400, "{code}", 'Invalid id: "{id}"'),
    "dry-run": (412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."),
    "denied": (403, "UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: abcDEF"),
    "no-action": (400, "InvalidAction", "The action {name} is not valid for this web service."),
    "internal": (500, "InternalError", "An internal error has occurred."),
    "unavailable": (503, "Unavailable", "The service is unavailable. Please try again shortly."),
    "throttle": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "busy": (503, "Unavailable", "The service is unavailable. Please try again shortly."),
    "expired": (400, "RequestExpired", "Request has expired."),
    "sign-missing": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
    "sign-mismatch": (403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."),
    "sign-skew": (400, "RequestExpired", "Request has expired."),
    "sign-unknown-key": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
    "sign-token": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
    "sign-token-expired": (400, "RequestExpired", "Request has expired."),
    "sign-not-signed": (403, "SignatureDoesNotMatch", "The header {detail} must be part of the signature."),
    "sign-body": (403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."),
}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def xml(value, item="item"):
    """A dict gives elements, a list <item>s (ELB: <member>)."""
    if isinstance(value, dict):
        return "".join("<%s>%s</%s>" % (key, xml(part, item), key) for key, part in value.items() if part is not None)
    if isinstance(value, (list, tuple)):
        return "".join("<%s>%s</%s>" % (item, xml(part, item), item) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value))


class Aws:
    name = "aws"
    changing = ("Attach", "Detach", "Stop", "Start", "Reboot", "Terminate", "Assign", "Unassign", "Associate", "Disassociate", "Replace", "Create",
                "Delete", "Register", "Deregister", "Modify")

    def __init__(self, world):
        self.world = world

    # --- a request's way in ---

    def identify(self, request, signed=None):
        """Returns (service, action, parameters, changes state)."""
        query = request.target.partition("?")[2]
        params = dict(parse_qsl(request.body.decode("utf-8", "replace") or query, keep_blank_values=True))
        service = VERSIONS.get(params.get("Version"), "ec2")
        action = params.get("Action", "")
        return service, action, params, action.startswith(self.changing)

    def run(self, service, action, params, request):
        method = getattr(self, service + "_" + action, None)
        if method is None:
            raise Refused("no-action", name=action)
        return self.reply(service, action, method(params))

    # --- replies ---

    def request_id(self):
        return self.world.uuid()

    def reply(self, service, action, value):
        item = "item" if service == "ec2" else "member"
        inside = xml(value, item)
        if service == "ec2":
            inside = "<requestId>%s</requestId>%s" % (self.request_id(), inside)
        else:
            inside = "<%sResult>%s</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>" % (
                action, inside, action, self.request_id())
        return Reply(200, '<?xml version="1.0" encoding="UTF-8"?>\n<%sResponse xmlns="%s">%s</%sResponse>' % (
            action, NAMESPACES[service], inside, action), "text/xml;charset=UTF-8")

    def refuse(self, refused, service="ec2", action=""):
        status, code, message = REFUSALS.get(refused.reason) or (500, "InternalError", refused.reason)
        about = dict({"id": "", "detail": "", "name": "", "instance": "", "address": ""}, **refused.about)
        if refused.reason == "error":
            status, code, message = about.get("status", 500), about.get("code", "InternalError"), about.get("message", "An internal error has occurred.")
        return self.error(service, status, code.format(**about), message.format(**about))

    def error(self, service, status, code, message):
        if service == "ec2":
            body = "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>"
            body %= escape(code), escape(message), self.request_id()
        else:
            body = '<ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>'
            code = {"RequestLimitExceeded": "Throttling", "UnauthorizedOperation": "AccessDenied", "RequestExpired": "ExpiredToken"}.get(code, code)
            status = 400 if code == "Throttling" else 403 if code == "ExpiredToken" else status
            body %= NAMESPACES[service], "Sender" if status < 500 else "Receiver", escape(code), escape(message), self.request_id()
        return Reply(status, '<?xml version="1.0" encoding="UTF-8"?>\n' + body, "text/xml;charset=UTF-8")

    # --- parameters ---

    def listed(self, params, prefix):
        return [params[key] for key in sorted((k for k in params if k.startswith(prefix + ".") and k.count(".") == prefix.count(".") + 1),
                                              key=lambda k: int(k.rsplit(".", 1)[1]))]

    def need(self, params, name):
        if not params.get(name):
            raise Refused("parameter-missing", name=name)
        return params[name]

    def well_formed(self, ident, prefix, code):
        digits = ident[len(prefix):]
        if not ident.startswith(prefix) or not digits or any(c not in "0123456789abcdef" for c in digits):
            raise Refused("id-malformed", id=ident, code=code)
        return ident

    def instance_id(self, ident):
        return self.well_formed(ident, "i-", "InvalidInstanceID.Malformed")

    def volume_id(self, ident):
        return self.well_formed(ident, "vol-", "InvalidParameterValue")

    def dry(self, params):
        """A call that would be done ends here when it is a dry run."""
        if params.get("DryRun", "").lower() == "true":
            raise Refused("dry-run")

    def filters(self, params):
        found, number = [], 1
        while "Filter.%d.Name" % number in params:
            found.append((params["Filter.%d.Name" % number], self.listed(params, "Filter.%d.Value" % number)))
            number += 1
        return found

    def passes(self, view, filters, fields):
        """fields: filter name -> function of the view that gives the values it has."""
        for name, wanted in filters:
            if name.startswith("tag:"):
                have = [view.tags[name[4:]]] if name[4:] in view.tags else []
            elif name == "tag-key":
                have = list(view.tags)
            elif name in fields:
                have = fields[name](view)
            else:
                raise Refused("error", status=400, code="InvalidParameterValue", message="The filter '%s' is invalid" % name)
            if not any(fnmatch.fnmatchcase(value, pattern) for value in have for pattern in wanted):
                return False
        return True

    def page(self, params, items):
        """The part of a list that this call gets, and the token for the next."""
        begin = int(params.get("NextToken") or 0)
        size = int(params.get("MaxResults") or self.world.settings.get("page", 0) or 1000)
        size = min(size, self.world.settings.get("page", 0) or size)
        more = begin + size < len(items)
        return items[begin:begin + size], str(begin + size) if more else None

    def chosen(self, kind, wanted, reason):
        views = {view.id: view for view in self.world.views("aws", kind)}
        for ident in wanted:
            if ident not in views:
                raise Refused(reason, id=ident)
        return [views[ident] for ident in wanted] if wanted else sorted(views.values(), key=lambda view: view.id)

    def tag_set(self, view):
        return [{"key": key, "value": value} for key, value in view.tags.items()]

    # --- instances ---

    INSTANCE_FILTERS = {
        "instance-id": lambda v: [v.id], "instance-state-name": lambda v: [v.state], "availability-zone": lambda v: [v.zone],
        "private-ip-address": lambda v: [v.address], "instance-state-code": lambda v: [str(CODES.get(v.state, 255))],
        "network-interface.network-interface-id": lambda v: [v.nic], "private-dns-name": lambda v: [v.name]}

    def describe_instance(self, view):
        nic = self.world.get("aws", "nic", view.nic)
        disks = [(disk.id, item) for disk in self.world.all("aws", "disk") for item in disk.attachments if item[0] == view.id]
        reason = {"stopped": "User initiated (2026-01-01 00:00:00 GMT)", "stopping": "User initiated"}.get(view.state, "")
        return {
            "instanceId": view.id, "imageId": "ami-0123456789abcdef0", "instanceState": {"code": CODES.get(view.state, 255), "name": view.state},
            "privateDnsName": "ip-%s.ec2.internal" % view.address.replace(".", "-"), "dnsName": "", "reason": reason, "amiLaunchIndex": 0,
            "productCodes": [], "instanceType": "t3.small", "launchTime": stamp(self.world.begin),
            "placement": {"availabilityZone": view.zone, "groupName": "", "tenancy": "default"}, "monitoring": {"state": "disabled"},
            "subnetId": nic.subnet, "vpcId": "vpc-0123456789abcdef0", "privateIpAddress": view.address, "sourceDestCheck": nic.source_check,
            "stateReason": {"code": getattr(view, "reason", "Client.UserInitiatedShutdown"), "message": "Client.UserInitiatedShutdown: User initiated shutdown"}
            if view.state in ("stopping", "stopped") else None,
            "architecture": "x86_64", "rootDeviceType": "ebs", "rootDeviceName": "/dev/xvda",
            "blockDeviceMapping": [{"deviceName": item[1], "ebs": {"volumeId": disk, "status": item[2], "attachTime": stamp(item[3]),
                                                                    "deleteOnTermination": False}} for disk, item in disks],
            "virtualizationType": "hvm", "clientToken": "", "tagSet": self.tag_set(view), "hypervisor": "xen",
            "networkInterfaceSet": [self.describe_nic(nic)], "ebsOptimized": False}

    def ec2_DescribeInstances(self, params):
        wanted = [self.instance_id(ident) for ident in self.listed(params, "InstanceId")]
        self.dry(params)
        views = [view for view in self.chosen("instance", wanted, "instance-missing")
                 if self.passes(view, self.filters(params), self.INSTANCE_FILTERS)]
        views, token = self.page(params, views)
        return {"reservationSet": [{"reservationId": "r-0" + view.id[3:], "ownerId": ACCOUNT, "groupSet": [],
                                    "instancesSet": [self.describe_instance(view)]} for view in views], "nextToken": token}

    def ec2_DescribeInstanceStatus(self, params):
        wanted = [self.instance_id(ident) for ident in self.listed(params, "InstanceId")]
        every = params.get("IncludeAllInstances", "").lower() == "true"
        views = [view for view in self.chosen("instance", wanted, "instance-missing") if every or view.state == "running"]
        status = {"status": "ok", "details": [{"name": "reachability", "status": "passed"}]}
        return {"instanceStatusSet": [{"instanceId": view.id, "availabilityZone": view.zone, "systemStatus": status, "instanceStatus": status,
                                       "instanceState": {"code": CODES.get(view.state, 255), "name": view.state}} for view in views]}

    def power(self, params, change):
        wanted = [self.instance_id(ident) for ident in self.listed(params, "InstanceId")]
        if not wanted:
            raise Refused("parameter-missing", name="InstanceId")
        instances = [self.world.get("aws", "instance", ident) for ident in wanted]
        before = [instance.state for instance in instances]
        for instance in instances:
            change(instance, params.get("DryRun", "").lower() == "true")
        self.dry(params)
        return {"instancesSet": [{"instanceId": instance.id, "currentState": {"code": CODES[instance.state], "name": instance.state},
                                  "previousState": {"code": CODES[old], "name": old}} for instance, old in zip(instances, before)]}

    def ec2_StopInstances(self, params):
        # Force alone asks the guest first; only with SkipOsShutdown is it the cable.
        hard = params.get("Force", "").lower() == "true" and params.get("SkipOsShutdown", "").lower() == "true"

        def stop(instance, dry):
            if instance.state in ("stopped", "pending", "shutting-down", "terminated"):
                if instance.state != "stopped":
                    raise Refused("instance-not-running", id=instance.id)
            elif not dry and (instance.state == "running" or hard):
                instance.set(state="running")
                self.world.stop_instance(instance, hard)
        return self.power(params, stop)

    def ec2_StartInstances(self, params):
        def start(instance, dry):
            if instance.state not in ("running", "pending") and not dry:
                self.world.start_instance(instance)
        return self.power(params, start)

    def ec2_TerminateInstances(self, params):
        return self.power(params, lambda instance, dry: dry or self.world.terminate_instance(instance))

    def ec2_RebootInstances(self, params):
        self.power(params, lambda instance, dry: dry or self.world.reboot_instance(instance, False))
        return {"return": True}

    def ec2_DescribeTags(self, params):
        things = [("instance", view) for view in self.world.views("aws", "instance")] + [("volume", view) for view in self.world.views("aws", "disk")]
        rows = [{"resourceId": view.id, "resourceType": kind, "key": key, "value": value} for kind, view in things for key, value in view.tags.items()]
        for name, wanted in self.filters(params):
            field = {"resource-id": "resourceId", "resource-type": "resourceType", "key": "key", "value": "value"}.get(name, "key")
            rows = [row for row in rows if row[field] in wanted]
        return {"tagSet": rows}

    def ec2_DescribeRegions(self, params):
        return {"regionInfo": [{"regionName": REGIONS["aws"], "regionEndpoint": "ec2.%s.amazonaws.com" % REGIONS["aws"], "optInStatus": "opt-in-not-required"}]}

    def ec2_DescribeAvailabilityZones(self, params):
        return {"availabilityZoneInfo": [{"zoneName": REGIONS["aws"] + letter, "zoneState": "available", "regionName": REGIONS["aws"], "messageSet": []}
                                         for letter in "abc"]}

    # --- volumes ---

    VOLUME_FILTERS = {
        "volume-id": lambda v: [v.id], "status": lambda v: [v.state], "availability-zone": lambda v: [v.zone],
        "attachment.instance-id": lambda v: [item[0] for item in v.attachments], "attachment.status": lambda v: [item[2] for item in v.attachments],
        "attachment.device": lambda v: [item[1] for item in v.attachments]}

    def attachment_state(self, view, item):
        return "busy" if item[2] == "detaching" and view.open_in_guest else item[2]

    def describe_volume(self, view):
        return {
            "volumeId": view.id, "size": view.size, "snapshotId": "", "availabilityZone": view.zone, "status": view.state,
            "createTime": stamp(self.world.begin),
            "attachmentSet": [{"volumeId": view.id, "instanceId": item[0], "device": item[1], "status": self.attachment_state(view, item),
                               "attachTime": stamp(item[3]), "deleteOnTermination": False} for item in view.attachments],
            "tagSet": self.tag_set(view), "volumeType": "io2" if view.multi_attach else "gp3", "encrypted": False,
            "multiAttachEnabled": view.multi_attach}

    def ec2_DescribeVolumes(self, params):
        wanted = [self.volume_id(ident) for ident in self.listed(params, "VolumeId")]
        self.dry(params)
        views = [view for view in self.chosen("disk", wanted, "disk-missing") if self.passes(view, self.filters(params), self.VOLUME_FILTERS)]
        views, token = self.page(params, views)
        return {"volumeSet": [self.describe_volume(view) for view in views], "nextToken": token}

    def ec2_AttachVolume(self, params):
        device = self.need(params, "Device")
        disk = self.world.get("aws", "disk", self.volume_id(self.need(params, "VolumeId")))
        instance = self.world.get("aws", "instance", self.instance_id(self.need(params, "InstanceId")))
        self.dry(params)
        self.world.attach_disk(disk, instance, device)
        return self.attachment_reply(disk, instance.id)

    def ec2_DetachVolume(self, params):
        disk = self.world.get("aws", "disk", self.volume_id(self.need(params, "VolumeId")))
        if params.get("InstanceId"):
            self.world.get("aws", "instance", self.instance_id(params["InstanceId"]))
        self.dry(params)
        self.world.detach_disk(disk, params.get("InstanceId"), params.get("Force", "").lower() == "true")
        return self.attachment_reply(disk, params.get("InstanceId") or disk.attachments[0][0])

    def attachment_reply(self, disk, instance):
        item = self.world.attachment(disk, instance)
        return {"volumeId": disk.id, "instanceId": item[0], "device": item[1], "status": item[2], "attachTime": stamp(item[3])}

    # --- snapshots ---

    def describe_snapshot(self, view):
        return {"snapshotId": view.id, "volumeId": view.disk, "status": view.state, "startTime": stamp(view.begin), "progress": view.progress,
                "ownerId": ACCOUNT, "volumeSize": view.size, "description": view.description, "tagSet": self.tag_set(view)}

    def ec2_CreateSnapshot(self, params):
        disk = self.world.get("aws", "disk", self.volume_id(self.need(params, "VolumeId")))
        self.dry(params)
        snapshot = self.world.add("snapshot", "aws", "snap-" + self.world.hexid(17), disk=disk.id, state="pending", progress="0%", size=disk.size,
                                  begin=time.time(), tags={}, description=params.get("Description", ""))
        self.world.after(self.world.delay("snapshot"), self.finish_snapshot, snapshot)
        return self.describe_snapshot(snapshot)

    def finish_snapshot(self, snapshot):
        with self.world.lock:
            snapshot.set(state="completed", progress="100%")

    def ec2_DescribeSnapshots(self, params):
        fields = {"volume-id": lambda v: [v.disk], "status": lambda v: [v.state], "snapshot-id": lambda v: [v.id]}
        views = [view for view in self.chosen("snapshot", self.listed(params, "SnapshotId"), "snapshot-missing")
                 if self.passes(view, self.filters(params), fields)]
        return {"snapshotSet": [self.describe_snapshot(view) for view in views]}

    def ec2_DeleteSnapshot(self, params):
        snapshot = self.world.get("aws", "snapshot", self.need(params, "SnapshotId"))
        self.dry(params)
        self.world.things.pop(("aws", "snapshot", snapshot.id))
        return {"return": True}

    # --- addresses and routes ---

    NIC_FILTERS = {
        "network-interface-id": lambda v: [v.id], "attachment.instance-id": lambda v: [v.instance],
        "addresses.private-ip-address": lambda v: list(v.addresses), "private-ip-address": lambda v: list(v.addresses),
        "subnet-id": lambda v: [v.subnet], "vpc-id": lambda v: ["vpc-0123456789abcdef0"], "attachment.device-index": lambda v: ["0"], "mac-address": lambda v: [v.mac]}

    def describe_nic(self, view):
        return {
            "networkInterfaceId": view.id, "subnetId": view.subnet, "vpcId": "vpc-0123456789abcdef0", "availabilityZone": view.zone, "description": "",
            "ownerId": ACCOUNT, "requesterManaged": False, "status": "in-use", "macAddress": view.mac, "privateIpAddress": view.addresses[0],
            "sourceDestCheck": view.source_check, "groupSet": [],
            "attachment": {"attachmentId": "eni-attach-" + view.id[4:], "instanceId": view.instance, "instanceOwnerId": ACCOUNT, "deviceIndex": 0,
                           "status": "attached", "attachTime": stamp(self.world.begin), "deleteOnTermination": True},
            "tagSet": [], "privateIpAddressesSet": [{"privateIpAddress": address, "primary": number == 0}
                                                    for number, address in enumerate(view.addresses)]}

    def ec2_DescribeNetworkInterfaces(self, params):
        wanted = self.listed(params, "NetworkInterfaceId")
        views = [view for view in self.chosen("nic", wanted, "nic-missing") if self.passes(view, self.filters(params), self.NIC_FILTERS)]
        views, token = self.page(params, views)
        return {"networkInterfaceSet": [self.describe_nic(view) for view in views], "nextToken": token}

    def ec2_AssignPrivateIpAddresses(self, params):
        nic = self.world.get("aws", "nic", self.need(params, "NetworkInterfaceId"))
        addresses = self.listed(params, "PrivateIpAddress")
        if not addresses:
            raise Refused("parameter-missing", name="PrivateIpAddress")
        for address in addresses:
            self.world.assign_address(nic, address, params.get("AllowReassignment", "").lower() == "true")
        return {"networkInterfaceId": nic.id, "assignedPrivateIpAddressesSet": [{"privateIpAddress": a} for a in addresses], "return": True}

    def ec2_UnassignPrivateIpAddresses(self, params):
        nic = self.world.get("aws", "nic", self.need(params, "NetworkInterfaceId"))
        for address in self.listed(params, "PrivateIpAddress"):
            self.world.unassign_address(nic, address)
        return {"return": True}

    def ec2_ModifyNetworkInterfaceAttribute(self, params):
        nic = self.world.get("aws", "nic", self.need(params, "NetworkInterfaceId"))
        self.dry(params)
        nic.set(source_check=params.get("SourceDestCheck.Value", "true").lower() == "true")
        return {"return": True}

    def describe_address(self, view):
        bound = {}
        if view.nic:
            nic = self.world.get("aws", "nic", view.nic)
            bound = {"instanceId": nic.instance, "associationId": "eipassoc-" + view.association, "networkInterfaceId": nic.id,
                     "networkInterfaceOwnerId": ACCOUNT, "privateIpAddress": view.private}
        return dict({"publicIp": view.address, "allocationId": view.id, "domain": "vpc"}, **bound, tagSet=[])

    def ec2_DescribeAddresses(self, params):
        fields = {"allocation-id": lambda v: [v.id], "public-ip": lambda v: [v.address], "network-interface-id": lambda v: [v.nic],
                  "private-ip-address": lambda v: [v.private]}
        public = self.listed(params, "PublicIp")
        views = [view for view in self.chosen("eip", self.listed(params, "AllocationId"), "eip-missing")
                 if self.passes(view, self.filters(params), fields) and (not public or view.address in public)]
        if public and not views:
            raise Refused("error", status=400, code="InvalidAddress.NotFound", message="Address '%s' not found." % public[0])
        return {"addressesSet": [self.describe_address(view) for view in views]}

    def ec2_AssociateAddress(self, params):
        eip = self.world.get("aws", "eip", self.need(params, "AllocationId"))
        if params.get("NetworkInterfaceId"):
            nic = self.world.get("aws", "nic", params["NetworkInterfaceId"])
        else:
            nic = self.world.get("aws", "nic", self.world.get("aws", "instance", self.need(params, "InstanceId")).nic)
        self.dry(params)
        self.world.bind_eip(eip, nic, params.get("PrivateIpAddress"), params.get("AllowReassociation", "").lower() == "true")
        return {"return": True, "associationId": "eipassoc-" + eip.association}

    def ec2_DisassociateAddress(self, params):
        wanted = self.need(params, "AssociationId")
        eip = next((e for e in self.world.all("aws", "eip") if e.association and "eipassoc-" + e.association == wanted), None)
        if eip is None:
            raise Refused("eip-free", id=wanted)
        self.dry(params)
        self.world.unbind_eip(eip)
        return {"return": True}

    def route_row(self, route):
        destination, kind, target = route[:3]
        row = {"destinationCidrBlock": destination}
        if kind == "local":
            row["gatewayId"] = "local"
        else:
            nic = self.world.things.get(("aws", "nic", target))
            if nic is not None:
                row.update({"instanceId": nic.instance, "instanceOwnerId": ACCOUNT, "networkInterfaceId": nic.id})
        return dict(row, state="active", origin="CreateRoute")

    def ec2_DescribeRouteTables(self, params):
        fields = {"route-table-id": lambda v: [v.id], "route.destination-cidr-block": lambda v: [r[0] for r in v.routes], "vpc-id": lambda v: ["vpc-0123456789abcdef0"]}
        views = [view for view in self.chosen("route-table", self.listed(params, "RouteTableId"), "route-table-missing")
                 if self.passes(view, self.filters(params), fields)]
        return {"routeTableSet": [{"routeTableId": view.id, "vpcId": "vpc-0123456789abcdef0", "routeSet": [self.route_row(route) for route in view.routes],
                                   "associationSet": [], "propagatingVgwSet": [], "tagSet": []} for view in views]}

    def route_target(self, params):
        if params.get("NetworkInterfaceId"):
            return self.world.get("aws", "nic", params["NetworkInterfaceId"]).id
        return self.world.get("aws", "instance", self.need(params, "InstanceId")).nic

    def ec2_ReplaceRoute(self, params):
        table = self.world.get("aws", "route-table", self.need(params, "RouteTableId"))
        target = self.route_target(params)
        self.dry(params)
        self.world.replace_route(table, self.need(params, "DestinationCidrBlock"), "nic", target)
        return {"return": True}

    def ec2_CreateRoute(self, params):
        table = self.world.get("aws", "route-table", self.need(params, "RouteTableId"))
        destination, target = self.need(params, "DestinationCidrBlock"), self.route_target(params)
        if any(route[0] == destination for route in table.routes):
            raise Refused("error", status=400, code="RouteAlreadyExists", message="The route identified by %s already exists." % destination)
        self.dry(params)
        table.set(routes=table.routes + ((destination, "nic", target, ""),))
        return {"return": True}

    def ec2_DeleteRoute(self, params):
        table = self.world.get("aws", "route-table", self.need(params, "RouteTableId"))
        destination = self.need(params, "DestinationCidrBlock")
        if not any(route[0] == destination for route in table.routes):
            raise Refused("error", status=400, code="InvalidRoute.NotFound", message="no route with destination-cidr-block %s in route table" % destination)
        self.dry(params)
        table.set(routes=tuple(route for route in table.routes if route[0] != destination))
        return {"return": True}

    # --- balancers ---

    def targets(self, params):
        found, number = [], 1
        while "Targets.member.%d.Id" % number in params:
            found.append((params["Targets.member.%d.Id" % number], int(params.get("Targets.member.%d.Port" % number) or 0)))
            number += 1
        return found

    def group(self, params):
        return self.world.get("aws", "group", self.need(params, "TargetGroupArn"))

    def elasticloadbalancing_RegisterTargets(self, params):
        group = self.group(params)
        for ident, port in self.targets(params):
            if ident.startswith("i-"):
                instance = self.world.things.get(("aws", "instance", ident))
                if instance is None or instance.state != "running":
                    raise Refused("error", status=400, code="InvalidTarget", message="The following targets are not in a running state and cannot be registered: '%s'" % ident)
            self.world.register(group, (ident, port or group.port))
        return {}

    def elasticloadbalancing_DeregisterTargets(self, params):
        group = self.group(params)
        for ident, port in self.targets(params):
            for key in [key for key in group.members if key[0] == ident and port in (0, key[1])]:
                if group.members[key][0] != "draining":
                    self.world.deregister(group, key)
        return {}

    def elasticloadbalancing_DescribeTargetHealth(self, params):
        self.group(params)
        view = next(v for v in self.chosen("group", [params["TargetGroupArn"]], "group-missing"))
        wanted = self.targets(params)
        members = [(key, member[0]) for key, member in view.members.items()
                   if not wanted or any(key[0] == ident and port in (0, key[1]) for ident, port in wanted)]
        for ident, port in wanted:
            if not any(key[0] == ident and port in (0, key[1]) for key, _ in members):
                members.append(((ident, port or view.port), "unused"))
        return {"TargetHealthDescriptions": [{"Target": {"Id": key[0], "Port": key[1]}, "HealthCheckPort": str(key[1]),
                                              "TargetHealth": self.target_health(state)} for key, state in members]}

    def target_health(self, state):
        reasons = {"initial": ("Elb.RegistrationInProgress", "Target registration is in progress"), "unhealthy": ("Target.Timeout", "Request timed out"),
                   "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
                   "unused": ("Target.NotRegistered", "Target is not registered to the target group")}
        if state not in reasons:
            return {"State": state}
        return {"State": state, "Reason": reasons[state][0], "Description": reasons[state][1]}

    def elasticloadbalancing_DescribeTargetGroups(self, params):
        wanted = self.listed(params, "TargetGroupArns.member")
        return {"TargetGroups": [{"TargetGroupArn": view.id, "TargetGroupName": view.name, "Protocol": "TCP", "Port": view.port,
                                  "TargetType": "instance", "HealthCheckPort": "traffic-port"} for view in self.chosen("group", wanted, "group-missing")]}

    def elasticloadbalancing_DescribeTargetGroupAttributes(self, params):
        group = self.group(params)
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": str(int(group.drain))},
                               {"Key": "stickiness.enabled", "Value": "false"}]}

    def sts_GetCallerIdentity(self, params):
        return {"Arn": "arn:aws:sts::%s:assumed-role/vigil/i-0" % ACCOUNT, "UserId": "AROAEXAMPLE", "Account": ACCOUNT}
