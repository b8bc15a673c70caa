# SPDX-License-Identifier: GPL-2.0-or-later
"""Huawei Cloud: ECS, EVS, VPC, EIP and ELB: REST with JSON. Changes of a server or disk are jobs; a job that failed is HTTP 200."""
import json
import re
import time
from urllib.parse import parse_qsl, unquote

from sim_http import Reply, json_reply
from sim_state import PROJECT, REGIONS, Refused

POWER = {"pending": "SHUTOFF", "running": "ACTIVE", "stopping": "ACTIVE", "stopped": "SHUTOFF", "shutting-down": "ACTIVE", "terminated": "DELETED"}
TASKS = {"pending": "powering-on", "stopping": "powering-off", "shutting-down": "deleting"}

WRONG_STATE = "The ECS status does not meet requirements. Make the ECS in the required status and try again."
DISK_STATE = "The disk can be attached to a server only if it exists and the state must be in the available. Make sure the disk state is available and try again."
REFUSALS = {
    "instance-missing": (404, "Ecs.0114", "The ECS does not exist."),
    "disk-missing": (404, "EVS.5404", "Volume {id} could not be found."),
    "nic-missing": (404, "VPC.0501", "Port {id} could not be found."),
    "port-missing": (404, "VPC.0501", "Port {id} could not be found."),
    "havip-missing": (404, "VPC.0501", "Port {id} could not be found."),
    "eip-missing": (404, "VPC.0504", "Floating IP {id} could not be found."),
    "snapshot-missing": (404, "EVS.6404", "Snapshot {id} could not be found."),
    "route-table-missing": (404, "VPC.2701", "RouteTable {id} could not be found."),
    "route-missing": (404, "VPC.2712", "The route of {destination} does not exist."),
    "group-missing": (404, "ELB.8904", "Pool {id} could not be found."),
    "job-missing": (404, "Ecs.0000", "The job does not exist."),
    "attached-here": (400, "Ecs.0057", "The disk has already been attached to the ECS and you cannot repeatedly attach it."),
    "attached-elsewhere": (400, "Ecs.0103", DISK_STATE), "disk-detaching": (400, "Ecs.0103", DISK_STATE), "disk-creating": (400, "Ecs.0103", DISK_STATE),
    "disk-error": (400, "Ecs.0103", DISK_STATE), "disk-deleted": (404, "EVS.5404", "Volume {id} could not be found."),
    "other-zone": (400, "Ecs.0121", "The disk cannot be attached to the ECS because the disk and the ECS are in different failure domains."),
    "instance-state": (400, "Ecs.0100", WRONG_STATE), "instance-not-running": (400, "Ecs.0100", WRONG_STATE),
    "instance-not-stopped": (400, "Ecs.0100", WRONG_STATE),
    "disk-limit": (400, "Ecs.0104", "The number of EVS disks that can be attached to the ECS exceeds the maximum number allowed."),
    "device-used": (400, "Ecs.0005", "Invalid parameter values: device {device} is in use."),
    "not-attached": (400, "Ecs.0111", "The EVS disk has been detached from the ECS. Refresh the disk list and check the disk."),
    "attached-to-other": (400, "Ecs.0111", "The EVS disk has been detached from the ECS. Refresh the disk list and check the disk."),
    "address-assigned": (400, "Ecs.0010", "The private IP address is already being used. Select another IP address."),
    "address-not-assigned": (404, "VPC.0501", "The address {address} is not there."),
    "eip-bound": (409, "VPC.0510", "Floating ip {id} has already been bound to port {nic}."),
    "eip-free": (409, "VPC.0511", "Floating ip {id} is not bound."),
    "member-missing": (404, "ELB.8904", "Member {member} could not be found."),
    "member-exists": (409, "ELB.8907", "member address and port already exist."),
    "parameter-missing": (400, "Ecs.0005", "Invalid parameter values: {name}."),
    "denied": (403, "Ecs.0003", "You do not have permission to perform this operation. Contact customer service to obtain permission."),
    "no-action": (404, "APIGW.0101", "The API does not exist or has not been published in the environment"),
    "wrong-project": (403, "APIGW.0802", "The IAM user is forbidden in the currently selected region"),
    "internal": (500, "Ecs.0001", "A system exception occurred. Try again later or contact customer service."),
    "unavailable": (503, "APIGW.0501", "The backend is not available."),
    "throttle": (429, "APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit,limit:20,time:1 second"),
    "busy": (409, "Ecs.0219", "The ECS is being operated. Try again later."),
    "expired": (401, "APIGW.0301", "Incorrect IAM authentication information: x-security-token is expired"),
    "sign-missing": (401, "APIGW.0301", "Incorrect IAM authentication information: {detail}"),
    "sign-mismatch": (401, "APIGW.0301", "Incorrect IAM authentication information: verify aksk signature fail"),
    "sign-skew": (401, "APIGW.0301", "Incorrect IAM authentication information: calc aksk signature fail:signature expired, signature time:{detail}"),
    "sign-unknown-key": (401, "APIGW.0301", "Incorrect IAM authentication information: ak {detail} not exist"),
    "sign-token": (401, "APIGW.0301", "Incorrect IAM authentication information: x-security-token is invalid"),
    "sign-token-expired": (401, "APIGW.0301", "Incorrect IAM authentication information: x-security-token is expired"),
    "sign-not-signed": (401, "APIGW.0301", "Incorrect IAM authentication information: header {detail} is not signed"),
    "sign-body": (401, "APIGW.0301", "Incorrect IAM authentication information: verify aksk signature fail, body"),
}

# Method, path below the project, service, action. A word in braces is one part of the path.
ROUTES = [
    ("GET", "/v1/{p}/cloudservers/detail", "ecs", "ListServersDetails"),
    ("GET", "/v1/{p}/cloudservers/{server}", "ecs", "ShowServer"),
    ("POST", "/v1/{p}/cloudservers/action", "ecs", "ServersAction"),
    ("POST", "/v1/{p}/cloudservers/{server}/attachvolume", "ecs", "AttachServerVolume"),
    ("DELETE", "/v1/{p}/cloudservers/{server}/detachvolume/{volume}", "ecs", "DetachServerVolume"),
    ("GET", "/v1/{p}/cloudservers/{server}/block_device", "ecs", "ListServerBlockDevices"),
    ("GET", "/v1/{p}/cloudservers/{server}/block_device/{volume}", "ecs", "ShowServerBlockDevice"),
    ("GET", "/v1/{p}/cloudservers/{server}/os-interface", "ecs", "ListServerInterfaces"),
    ("GET", "/v1/{p}/cloudservers/{server}/tags", "ecs", "ShowServerTags"),
    ("PUT", "/v1/{p}/cloudservers/nics/{nic}", "ecs", "NovaAssociateVip"),
    ("GET", "/v1/{p}/jobs/{job}", "ecs", "ShowJob"),
    ("GET", "/v2/{p}/cloudvolumes/detail", "evs", "ListVolumes"),
    ("GET", "/v2/{p}/cloudvolumes/{volume}", "evs", "ShowVolume"),
    ("POST", "/v2/{p}/cloudsnapshots", "evs", "CreateSnapshot"),
    ("GET", "/v2/{p}/cloudsnapshots/{snapshot}", "evs", "ShowSnapshot"),
    ("DELETE", "/v2/{p}/cloudsnapshots/{snapshot}", "evs", "DeleteSnapshot"),
    ("GET", "/v1/{p}/ports", "vpc", "ListPorts"), ("GET", "/v1/{p}/ports/{port}", "vpc", "ShowPort"), ("PUT", "/v1/{p}/ports/{port}", "vpc", "UpdatePort"),
    ("GET", "/v1/{p}/publicips", "vpc", "ListPublicips"), ("GET", "/v1/{p}/publicips/{eip}", "vpc", "ShowPublicip"),
    ("PUT", "/v1/{p}/publicips/{eip}", "vpc", "UpdatePublicip"),
    ("GET", "/v3/{p}/eip/publicips", "vpc", "ListPublicipsV3"), ("GET", "/v3/{p}/eip/publicips/{eip}", "vpc", "ShowPublicipV3"),
    ("POST", "/v3/{p}/eip/publicips/{eip}/associate-instance", "vpc", "AssociatePublicips"),
    ("POST", "/v3/{p}/eip/publicips/{eip}/disassociate-instance", "vpc", "DisassociatePublicips"),
    ("GET", "/v1/{p}/routetables/{table}", "vpc", "ShowRouteTable"), ("PUT", "/v1/{p}/routetables/{table}", "vpc", "UpdateRouteTable"),
    ("GET", "/v3/{p}/elb/pools/{pool}", "elb", "ShowPool"), ("GET", "/v3/{p}/elb/pools/{pool}/members", "elb", "ListMembers"),
    ("POST", "/v3/{p}/elb/pools/{pool}/members", "elb", "CreateMember"),
    ("GET", "/v3/{p}/elb/pools/{pool}/members/{member}", "elb", "ShowMember"),
    ("PUT", "/v3/{p}/elb/pools/{pool}/members/{member}", "elb", "UpdateMember"),
    ("DELETE", "/v3/{p}/elb/pools/{pool}/members/{member}", "elb", "DeleteMember"),
    ("GET", "/v3/projects", "iam", "KeystoneListProjects"),
]
PATTERNS = [(method, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?$"), service, action) for method, path, service, action in ROUTES]


def stamp(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
    return time.strftime(form, time.gmtime(seconds))


class Huawei:
    name = "huawei"

    def __init__(self, world):
        self.world = world

    def identify(self, request, signed=None):
        path, _, query = request.target.partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True))
        # A prefix of the path, as an endpoint may have one, is not of the API.
        for method, pattern, service, action in PATTERNS:
            match = pattern.match(path)
            if match and method == request.method:
                params.update({key: unquote(value) for key, value in match.groupdict().items()})
                return service, action, params, method != "GET"
        return "ecs", "", params, request.method != "GET"

    def run(self, service, action, params, request):
        method = getattr(self, "do_" + action, None)
        if method is None:
            raise Refused("no-action")
        if params.get("p", PROJECT) != PROJECT:
            raise Refused("wrong-project")
        try:
            body = json.loads(request.body) if request.body else {}
        except ValueError:
            raise Refused("parameter-missing", name="the body is not JSON") from None
        found = method(params, body)
        if isinstance(found, Reply):
            return found
        return json_reply(200, found, [("X-Request-Id", self.world.hexid(32))])

    def refuse(self, refused, service="ecs", action=""):
        status, code, message = REFUSALS.get(refused.reason) or (500, "Ecs.0001", refused.reason)
        about = dict({"id": "", "detail": "", "name": "", "address": "", "member": "", "nic": "", "destination": "", "device": ""}, **refused.about)
        if refused.reason == "error":
            status, code, message = about.get("status", 500), about.get("code", "Ecs.0001"), about.get("message", "A system exception occurred.")
        message = message.format(**about)
        if code.startswith(("APIGW", "ELB")) or service == "elb":
            return json_reply(status, {"error_msg": message, "error_code": code, "request_id": self.world.hexid(32)})
        if service == "vpc":
            return json_reply(status, {"code": code, "message": message})
        return json_reply(status, {"error": {"message": message, "code": code}}, [("X-Request-Id", self.world.hexid(32))])

    def need(self, row, name):
        if not isinstance(row, dict) or row.get(name) in (None, "", []):
            raise Refused("parameter-missing", name=name)
        return row[name]

    def view(self, kind, ident):
        found = next((v for v in self.world.views("huawei", kind) if v.id == ident), None)
        if found is None:
            raise Refused(kind + "-missing", id=ident)
        return found

    def sorted_views(self, kind):
        return sorted(self.world.views("huawei", kind), key=lambda v: v.id)

    # --- jobs ---

    def do_ShowJob(self, params, body):
        job = self.world.get("huawei", "job", params["job"])
        return {"status": job.status, "entities": job.about if job.status == "SUCCESS" else {}, "job_id": job.id, "job_type": job.type,
                "begin_time": stamp(job.begin, "%Y-%m-%dT%H:%M:%S.000Z"), "end_time": "" if job.status == "RUNNING" else stamp(time.time(), "%Y-%m-%dT%H:%M:%S.000Z"),
                "error_code": job.code, "fail_reason": job.reason}

    def failing(self):
        """A job that is accepted and comes to nothing."""
        return self.world.settings["job_failures"] > 0

    # --- servers ---

    def describe_server(self, view):
        nic = self.world.get("huawei", "nic", view.nic)
        task = "rebooting" if view.rebooting else TASKS.get(view.state)
        status = {"error": "ERROR"}.get(view.state, "HARD_REBOOT" if view.rebooting else POWER.get(view.state, view.state.upper()))
        return {
            "id": view.id, "name": view.name, "status": status, "OS-EXT-STS:vm_state": {"ACTIVE": "active", "SHUTOFF": "stopped"}.get(status, status.lower()),
            "OS-EXT-STS:power_state": getattr(view, "hypervisor", None) or (1 if self.world.runs(view) and view.state != "pending" else 4), "OS-EXT-STS:task_state": task,
            "OS-EXT-AZ:availability_zone": view.zone, "tenant_id": PROJECT, "metadata": {"vpc_id": "vpc"}, "tags": ["%s=%s" % pair for pair in view.tags.items()],
            "addresses": {"vpc": [{"version": "4", "addr": nic.addresses[0], "OS-EXT-IPS-MAC:mac_addr": nic.mac, "OS-EXT-IPS:port_id": nic.id,
                                   "OS-EXT-IPS:type": "fixed", "primary": True}]},
            "os-extended-volumes:volumes_attached": [{"id": d.id, "device": i[1], "bootIndex": "1", "delete_on_termination": "false"}
                                                     for d in self.world.all("huawei", "disk") for i in d.attachments if i[0] == view.id],
            "created": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z", "hostId": "h", "flavor": {"id": "s3.small.1"}, "progress": 0,
            "OS-EXT-SRV-ATTR:hostname": view.name, "sys_tags": [], "security_groups": [], "locked": False, "description": ""}

    def do_ShowServer(self, params, body):
        view = self.view("instance", params["server"])
        if view.state == "terminated":
            raise Refused("instance-missing", id=view.id)
        return {"server": self.describe_server(view)}

    def do_ListServersDetails(self, params, body):
        wanted = params.get("tags")
        views = [v for v in self.sorted_views("instance") if v.state != "terminated" and (not params.get("name") or params["name"] in v.name)
                 and (not wanted or all(part in {k for k in v.tags} | {"%s=%s" % p for p in v.tags.items()} for part in wanted.split(",")))]
        size, number = int(params.get("limit") or 25), int(params.get("offset") or 1)
        return {"count": len(views), "servers": [self.describe_server(v) for v in views[(number - 1) * size:number * size]]}

    def do_ShowServerTags(self, params, body):
        return {"tags": [{"key": k, "value": v} for k, v in self.view("instance", params["server"]).tags.items()]}

    def do_ServersAction(self, params, body):
        name = next(iter(body), "")
        if name not in ("os-stop", "os-start", "reboot"):
            raise Refused("parameter-missing", name="action")
        hard = body[name].get("type", "SOFT") == "HARD"
        servers = [self.world.get("huawei", "instance", self.need(row, "id")) for row in self.need(body[name], "servers")]
        call = {"os-stop": lambda s: self.world.stop_instance(s, hard), "os-start": self.world.start_instance, "reboot": lambda s: self.world.reboot_instance(s, hard)}
        state = {"os-stop": ("running",), "os-start": ("stopped",), "reboot": ("running",)}[name]
        for server in servers:
            if server.state not in state and not (name == "os-stop" and hard and server.state == "stopping"):
                raise Refused("instance-not-running", id=server.id)
        job = self.world.job("huawei", {"os-stop": "batchStopServer", "os-start": "batchStartServer", "reboot": "batchRebootServer"}[name])
        if not self.failing():
            for server in servers:
                if server.state == "stopping":
                    server.set(state="running")
                call[name](server)
        self.world.after(self.world.delay("stop"), self.finish_power, job, servers, state)
        return {"job_id": job.id}

    def finish_power(self, job, servers, state):
        """A power job is done when its servers are where they were to be."""
        with self.world.lock:
            if not self.failing() and any(s.state in ("stopping", "pending") or s.rebooting for s in servers):
                self.world.after(0.05, self.finish_power, job, servers, state)
                return
        self.world.finish_job(job)

    # --- disks ---

    def disk_status(self, view):
        states = {item[2] for item in view.attachments}
        if view.state == "in-use" and states in ({"attaching"}, {"detaching"}):
            return states.pop()
        return view.state

    def describe_volume(self, view):
        return {
            "id": view.id, "name": view.name, "status": self.disk_status(view), "size": view.size, "availability_zone": view.zone, "multiattach": view.multi_attach,
            "attachments": [{"id": view.id, "attachment_id": view.id, "volume_id": view.id, "server_id": i[0], "device": i[1],
                             "attached_at": stamp(i[3], "%Y-%m-%dT%H:%M:%S.000000"), "host_name": None} for i in view.attachments if i[2] != "attaching"],
            "metadata": {"hw:passthrough": "false"}, "bootable": "false", "encrypted": False, "volume_type": "SSD", "wwn": "6888603" + view.id[:8], "tags": view.tags,
            "created_at": "2026-01-01T00:00:00.000000", "service_type": "EVS", "description": None, "links": []}

    def do_ShowVolume(self, params, body):
        return {"volume": self.describe_volume(self.view("disk", params["volume"]))}

    def do_ListVolumes(self, params, body):
        views = [v for v in self.sorted_views("disk") if (not params.get("id") or v.id == params["id"])
                 and (not params.get("server_id") or any(i[0] == params["server_id"] for i in v.attachments))]
        size, begin = int(params.get("limit") or 1000), int(params.get("offset") or 0)
        return {"count": len(views), "volumes": [self.describe_volume(v) for v in views[begin:begin + size]], "volumes_links": []}

    def do_AttachServerVolume(self, params, body):
        row = self.need(body, "volumeAttachment")
        instance = self.world.get("huawei", "instance", params["server"])
        disk = self.world.get("huawei", "disk", self.need(row, "volumeId"))
        job = self.world.job("huawei", "attachVolume", server_id=instance.id, volume_id=disk.id)
        if self.failing():
            self.world.after(self.world.delay("attach"), self.world.finish_job, job)
        else:
            self.world.attach_disk(disk, instance, row.get("device"), when_done=lambda: self.world.finish_job(job))
        return {"job_id": job.id}

    def do_DetachServerVolume(self, params, body):
        instance = self.world.get("huawei", "instance", params["server"])
        disk = self.world.get("huawei", "disk", params["volume"])
        force = params.get("delete_flag") == "1"
        if disk.state == "error":
            raise Refused("disk-error", id=disk.id)
        job = self.world.job("huawei", "detachVolume", server_id=instance.id, volume_id=disk.id)
        if self.failing():
            self.world.after(self.world.delay("detach"), self.world.finish_job, job)
        else:
            self.world.detach_disk(disk, instance.id, force, when_done=lambda: self.world.finish_job(job))
        return {"job_id": job.id}

    def block_device(self, view, item):
        return {"pciAddress": "0000:02:02.0", "volumeId": view.id, "device": item[1], "serverId": item[0], "id": view.id, "size": view.size, "bootIndex": 1, "bus": "virtio"}

    def do_ListServerBlockDevices(self, params, body):
        server = self.view("instance", params["server"])
        rows = [self.block_device(v, i) for v in self.sorted_views("disk") for i in v.attachments if i[0] == server.id and i[2] != "attaching"]
        return {"attachableQuantity": {"free_scsi": 23, "free_blk": 15, "free_disk": 23}, "volumeAttachments": rows}

    def do_ShowServerBlockDevice(self, params, body):
        view = self.view("disk", params["volume"])
        item = next((i for i in view.attachments if i[0] == params["server"] and i[2] != "attaching"), None)
        if item is None:
            raise Refused("error", status=404, code="Ecs.0111", message="The EVS disk has been detached from the ECS.")
        return {"volumeAttachment": self.block_device(view, item)}

    def do_CreateSnapshot(self, params, body):
        disk = self.world.get("huawei", "disk", self.need(self.need(body, "snapshot"), "volume_id"))
        snapshot = self.world.add("snapshot", "huawei", self.world.uuid(), disk=disk.id, state="creating", size=disk.size, begin=time.time(), name=body["snapshot"].get("name", ""))
        self.world.after(self.world.delay("snapshot"), self.finish_snapshot, snapshot)
        return json_reply(202, {"snapshot": self.describe_snapshot(snapshot)})

    def finish_snapshot(self, snapshot):
        with self.world.lock:
            snapshot.set(state="available")

    def describe_snapshot(self, view):
        return {"id": view.id, "volume_id": view.disk, "status": view.state, "size": view.size, "name": view.name, "created_at": stamp(view.begin)}

    def do_ShowSnapshot(self, params, body):
        return {"snapshot": self.describe_snapshot(self.view("snapshot", params["snapshot"]))}

    def do_DeleteSnapshot(self, params, body):
        self.world.get("huawei", "snapshot", params["snapshot"])
        self.world.things.pop(("huawei", "snapshot", params["snapshot"]))
        return json_reply(202, {})

    # --- ports: of servers, and of virtual addresses ---

    def do_ListServerInterfaces(self, params, body):
        nic = self.view("nic", self.view("instance", params["server"]).nic)
        return {"interfaceAttachments": [{"port_state": "ACTIVE", "port_id": nic.id, "net_id": nic.subnet, "mac_addr": nic.mac,
                                          "fixed_ips": [{"subnet_id": nic.subnet, "ip_address": nic.addresses[0]}]}]}

    def describe_port(self, view):
        virtual = not hasattr(view, "mac")
        addresses = (view.address,) if virtual else view.addresses
        return {"id": view.id, "name": "", "status": "DOWN" if virtual else "ACTIVE", "admin_state_up": True, "network_id": getattr(view, "subnet", ""),
                "mac_address": "" if virtual else view.mac, "device_id": "" if virtual else view.instance, "device_owner": "neutron:VIP_PORT" if virtual else "compute:" + view.zone,
                "fixed_ips": [{"subnet_id": getattr(view, "subnet", ""), "ip_address": a} for a in addresses], "tenant_id": PROJECT,
                "allowed_address_pairs": [{"ip_address": a} for a in self.port_pairs(view)], "extra_dhcp_opts": [], "security_groups": []}

    def port_pairs(self, view):
        """A server's port has the virtual addresses that it may use; a virtual address's port the servers' own."""
        if hasattr(view, "pairs"):
            return view.pairs
        return tuple(nic.addresses[0] for nic in self.world.all("huawei", "nic") if view.address in nic.pairs)

    def port_views(self):
        return self.sorted_views("nic") + self.sorted_views("havip")

    def do_ListPorts(self, params, body):
        rows = [self.describe_port(v) for v in self.port_views()]
        address = params.get("fixed_ips", "").replace("ip_address=", "") or params.get("ip_address", "")
        return {"ports": [row for row in rows if params.get("device_id") in (None, row["device_id"]) and params.get("id") in (None, row["id"])
                          and params.get("device_owner") in (None, row["device_owner"])
                          and (not address or any(f["ip_address"] == address for f in row["fixed_ips"]))]}

    def do_ShowPort(self, params, body):
        view = next((v for v in self.port_views() if v.id == params["port"]), None)
        if view is None:
            raise Refused("nic-missing", id=params["port"])
        return {"port": self.describe_port(view)}

    def do_UpdatePort(self, params, body):
        row = self.need(body, "port")
        pairs = tuple(self.need(pair, "ip_address") for pair in row.get("allowed_address_pairs", []))
        nic = self.world.things.get(("huawei", "nic", params["port"]))
        havip = self.world.things.get(("huawei", "havip", params["port"]))
        if nic is None and havip is None:
            raise Refused("nic-missing", id=params["port"])
        if "allowed_address_pairs" in row and nic is not None:
            nic.set(pairs=pairs)
        elif "allowed_address_pairs" in row:
            self.bind_virtual(havip, pairs)
        return {"port": self.describe_port(nic or havip)}

    def bind_virtual(self, havip, pairs):
        for nic in self.world.all("huawei", "nic"):
            kept = tuple(a for a in nic.pairs if a != havip.address)
            nic.set(pairs=kept + ((havip.address,) if nic.addresses[0] in pairs else ()))

    def do_NovaAssociateVip(self, params, body):
        row = self.need(body, "nic")
        nic = self.world.get("huawei", "nic", params["nic"])
        address = row.get("ip_address", "")
        if address and not any(h.address == address for h in self.world.all("huawei", "havip")):
            raise Refused("address-not-assigned", address=address)
        if address:
            nic.set(pairs=tuple(a for a in nic.pairs if a != address) + (address,))
        else:
            nic.set(pairs=())
        return {"port_id": nic.id}

    # --- elastic addresses ---

    def describe_eip(self, view):
        return {"id": view.id, "public_ip_address": view.address, "status": "ACTIVE" if view.nic else "DOWN", "type": "5_bgp", "tenant_id": PROJECT,
                **({"port_id": view.nic, "private_ip_address": view.private} if view.nic else {}), "bandwidth_id": "b", "ip_version": 4}

    def describe_eip_v3(self, view):
        nic = view.nic and self.world.get("huawei", "nic", view.nic)
        return {"id": view.id, "public_ip_address": view.address, "status": "ACTIVE" if view.nic else "DOWN", "project_id": PROJECT, "ip_version": 4,
                "associate_instance_type": "PORT" if nic else None, "associate_instance_id": nic.id if nic else None,
                "vnic": {"port_id": nic.id, "device_id": nic.instance, "private_ip_address": view.private, "mac": nic.mac} if nic else None}

    def list_eips(self, params, describe):
        rows = [describe(v) for v in self.sorted_views("eip")]
        return {"publicips": [row for row in rows if params.get("public_ip_address") in (None, row["public_ip_address"]) and params.get("id") in (None, row["id"])
                              and params.get("port_id") in (None, row.get("port_id"))]}

    def do_ListPublicips(self, params, body):
        return self.list_eips(params, self.describe_eip)

    def do_ListPublicipsV3(self, params, body):
        return self.list_eips(params, self.describe_eip_v3)

    def do_ShowPublicip(self, params, body):
        return {"publicip": self.describe_eip(self.view("eip", params["eip"]))}

    def do_ShowPublicipV3(self, params, body):
        return {"publicip": self.describe_eip_v3(self.view("eip", params["eip"]))}

    def bind(self, ident, port):
        eip = self.world.get("huawei", "eip", ident)
        if port:
            self.world.bind_eip(eip, self.world.get("huawei", "nic", port), None, False)
        else:
            self.world.unbind_eip(eip)
        return eip

    def do_UpdatePublicip(self, params, body):
        return {"publicip": self.describe_eip(self.bind(params["eip"], self.need(body, "publicip").get("port_id")))}

    def do_AssociatePublicips(self, params, body):
        row = self.need(body, "publicip")
        if self.need(row, "associate_instance_type") != "PORT":
            raise Refused("parameter-missing", name="associate_instance_type")
        return {"publicip": self.describe_eip_v3(self.bind(params["eip"], self.need(row, "associate_instance_id"))), "request_id": self.world.hexid(32)}

    def do_DisassociatePublicips(self, params, body):
        return {"publicip": self.describe_eip_v3(self.bind(params["eip"], None)), "request_id": self.world.hexid(32)}

    # --- routes: the next hop is a server's id, or a network interface's ---

    def describe_table(self, view):
        rows = []
        for route in view.routes:
            nic = self.world.things.get(("huawei", "nic", route[2]))
            by_nic = len(route) > 4 and route[4] == "eni"
            rows.append({"type": "eni" if by_nic else "ecs" if nic else "local", "destination": route[0], "nexthop": nic.id if by_nic else nic.instance if nic else "",
                         "description": ""})
        return {"routetable": {"id": view.id, "name": "rtb", "default": True, "routes": rows, "subnets": [], "tenant_id": PROJECT, "vpc_id": "vpc", "description": ""}}

    def do_ShowRouteTable(self, params, body):
        return self.describe_table(self.view("route-table", params["table"]))

    def do_UpdateRouteTable(self, params, body):
        table = self.world.get("huawei", "route-table", params["table"])
        changes = self.need(body, "routetable").get("routes", {})
        routes = table.routes
        for row in changes.get("mod", []) + changes.get("add", []):
            nic = self.world.get("huawei", "nic", row["nexthop"]) if row["type"] == "eni" else self.world.get(
                "huawei", "nic", self.world.get("huawei", "instance", self.need(row, "nexthop")).nic)
            there = any(r[0] == row["destination"] for r in routes)
            if not there and row in changes.get("mod", []):
                raise Refused("route-missing", destination=row["destination"])
            new = (row["destination"], "nic", nic.id, "", row["type"])
            routes = tuple(new if r[0] == new[0] else r for r in routes) if there else routes + (new,)
        for row in changes.get("del", []):
            routes = tuple(r for r in routes if r[0] != row["destination"])
        table.set(routes=routes)
        return self.describe_table(table)

    # --- balancers: a pool's members are addresses with ports ---

    def pool(self, params):
        return self.world.get("huawei", "group", params["pool"])

    def member_id(self, pool, key):
        digits = "%012x" % (abs(hash((pool.id, key))) % (1 << 48))
        return "00000000-0000-4000-8000-" + digits

    def describe_member(self, pool, key, member):
        # A pool that drains holds connections; the member itself is gone from the list at once.
        status = {"healthy": "ONLINE", "unhealthy": "OFFLINE", "initial": "NO_MONITOR"}.get(member[0], "OFFLINE")
        return {"id": self.member_id(pool, key), "name": "", "address": key[0], "protocol_port": key[1], "weight": member[1], "admin_state_up": True,
                "operating_status": status, "status": [], "subnet_cidr_id": None, "project_id": PROJECT, "ip_version": "v4"}

    def do_ShowPool(self, params, body):
        view = self.view("group", params["pool"])
        return {"pool": {"id": view.id, "name": view.name, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "admin_state_up": True,
                         "members": [{"id": self.member_id(view, k)} for k in view.members], "healthmonitor_id": "hm" if not getattr(view, "unmonitored", False) else None,
                         "connection_drain": {"enable": view.drain > 0, "timeout": int(view.drain)}}, "request_id": self.world.hexid(32)}

    def do_ListMembers(self, params, body):
        view = self.view("group", params["pool"])
        rows = [self.describe_member(view, k, m) for k, m in sorted(view.members.items()) if m[0] != "draining"]
        rows = [r for r in rows if params.get("address") in (None, r["address"]) and params.get("protocol_port") in (None, str(r["protocol_port"]))]
        return {"members": rows, "page_info": {"current_count": len(rows)}, "request_id": self.world.hexid(32)}

    def find_member(self, params):
        pool = self.pool(params)
        key = next((k for k, m in pool.members.items() if self.member_id(pool, k) == params["member"] and m[0] != "draining"), None)
        if key is None:
            raise Refused("member-missing", member=params["member"])
        return pool, key

    def do_ShowMember(self, params, body):
        pool, key = self.find_member(params)
        return {"member": self.describe_member(pool, key, pool.members[key]), "request_id": self.world.hexid(32)}

    def do_CreateMember(self, params, body):
        pool, row = self.pool(params), self.need(body, "member")
        key = (self.need(row, "address"), int(self.need(row, "protocol_port")))
        if key in pool.members and pool.members[key][0] != "draining":
            raise Refused("member-exists")
        self.world.register(pool, key, int(row.get("weight", 1)))
        return json_reply(201, {"member": self.describe_member(pool, key, pool.members[key]), "request_id": self.world.hexid(32)})

    def do_UpdateMember(self, params, body):
        pool, key = self.find_member(params)
        members = dict(pool.members)
        members[key] = (members[key][0], int(self.need(body, "member").get("weight", members[key][1])))
        pool.set(members=members)
        return {"member": self.describe_member(pool, key, members[key]), "request_id": self.world.hexid(32)}

    def do_DeleteMember(self, params, body):
        pool, key = self.find_member(params)
        self.world.deregister(pool, key)
        return Reply(204)

    def do_KeystoneListProjects(self, params, body):
        name = params.get("name")
        rows = [{"id": PROJECT, "name": REGIONS["huawei"], "enabled": True, "domain_id": "d", "is_domain": False, "parent_id": "d", "description": "", "links": {}}]
        return {"projects": [row for row in rows if name in (None, row["name"])], "links": {}}
