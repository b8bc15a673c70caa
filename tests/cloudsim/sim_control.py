# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests' own interface, below /_sim/ on the same port: JSON in, JSON out; or one value as text, for shells.

  POST reset        {settings}                    a new, empty world
  POST settings     {settings}                    changes some
  POST instance     {cloud, name, zone?, state?, tags?, address?, guest?, id?, metadata?}   metadata: opens a port of its own for its metadata service
  POST disk         {cloud, zone?, size?, multi_attach?, state?, attached?: instance, device?, open?, id?}
  POST eip, havip, route-table, group             see below
  POST set          {cloud, kind, id, fields}     changes fields by hand, at once, as an operator (or fate) would
  POST power        {cloud, id, action}           off, on or terminate, as from the cloud's console
  POST release      {cloud, id}                   the guest gives a disk free that it had open
  POST faults       [rule ...] or {seed, rate, kinds, count}      see sim_faults.py; DELETE faults: none any more
  POST wait         {cloud, kind, id, field, value, seconds}      waits for a state
  POST quiet        {seconds}                     waits until no change is under way
  GET  state        everything that is so; GET get/CLOUD/KIND/ID/FIELD/...   one value of it as text
  GET  log          requests so far; GET count/ACTION-PATTERN     how many there were; DELETE log
  GET  hooks        the hooks that were run
"""
import json
import re
import time

from sim_http import Reply, json_reply
from sim_state import ACCOUNT, REGIONS, ZONES, Refused

SERVERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Control:
    def __init__(self, simulator):
        self.simulator, self.world = simulator, simulator.world

    def answer(self, request):
        path = request.target.partition("?")[0][len("/_sim/"):]
        words = path.split("/")
        method = getattr(self, "%s_%s" % (request.method.lower(), words[0].replace("-", "_")), None)
        if method is None:
            return json_reply(404, {"error": "no " + request.method + " /_sim/" + words[0]})
        try:
            value = json.loads(request.body) if request.body else {}
            with self.world.lock:
                result = method(value, words[1:])
            return result if isinstance(result, Reply) else json_reply(200, result)
        except (Refused, KeyError, ValueError, TypeError, StopIteration) as problem:
            return json_reply(400, {"error": "%s: %s" % (type(problem).__name__, problem)})

    # --- making ---

    def post_reset(self, value, words):
        self.simulator.reset(value)
        return {"keys": {cloud: keys for (cloud, _), keys in self.world.accounts.items()}}

    def post_settings(self, value, words):
        self.world.settings.update(value)
        return self.world.settings

    def post_instance(self, value, words):
        world, cloud = self.world, value["cloud"]
        ident = value.get("id") or self.new_id(cloud, "instance")
        number = len(world.all(cloud, "instance")) + 1
        address = value.get("address", "10.0.0.%d" % (10 + number))
        zone = value.get("zone", ZONES[cloud])
        name = value.get("name", "node%d" % number)
        # AWS has no other name than the tag.
        tags = dict({"Name": name} if cloud == "aws" else {}, **value.get("tags", {}))
        nic = world.add("nic", cloud, value.get("nic") or self.new_id(cloud, "nic"), instance=ident, addresses=(address,) + tuple(value.get("secondary", ())),
                        mac="02:00:0a:00:00:%02x" % (10 + number), zone=zone, subnet=self.subnet(cloud), source_check=True, pairs=())
        world.add("instance", cloud, ident, name=name, zone=zone, state=value.get("state", "running"), tags=tags, nic=nic.id, address=address,
                  guest=value.get("guest", address), operation=0, rebooting=False, boots=0, uuid=world.uuid(), stop_mode="")
        port = self.simulator.metadata_port(cloud, name) if value.get("metadata", True) else 0
        return {"id": ident, "nic": nic.id, "address": address, "metadata": "http://%s:%d" % (self.simulator.address, port) if port else ""}

    def subnet(self, cloud):
        """The one of all instances, and of the virtual addresses."""
        return next((nic.subnet for nic in self.world.all(cloud, "nic")), None) or self.new_id(cloud, "subnet")

    def post_disk(self, value, words):
        world, cloud = self.world, value["cloud"]
        ident = value.get("id") or self.new_id(cloud, "disk")
        attachments = ()
        if value.get("attached"):
            attachments = ((value["attached"], value.get("device", "/dev/sdf"), "attached", time.time() - value.get("age", 60)),)
        serial = {"aws": ident.replace("-", ""), "aliyun": ident[2:], "tencent": ident, "huawei": ident[:20]}[cloud]
        links = {"aws": ["nvme-Amazon_Elastic_Block_Store_" + serial], "aliyun": ["virtio-" + serial, "nvme-Alibaba_Cloud_Elastic_Block_Storage_" + serial],
                 "tencent": ["virtio-" + ident], "huawei": ["virtio-" + serial]}[cloud]
        world.add("disk", cloud, ident, zone=value.get("zone", ZONES[cloud]), size=value.get("size", 10), serial=serial, links=links,
                  multi_attach=value.get("multi_attach", False), state=value.get("state", "in-use" if attachments else "available"),
                  attachments=attachments, open_in_guest=value.get("open", False), tags=value.get("tags", {}), name=value.get("name", "data"))
        return {"id": ident, "serial": serial, "links": links}

    def post_eip(self, value, words):
        cloud = value["cloud"]
        ident = value.get("id") or self.new_id(cloud, "eip")
        address = value.get("address", "203.0.113.%d" % (10 + len(self.world.all(cloud, "eip"))))
        self.world.add("eip", cloud, ident, address=address, nic="", private="", association="")
        return {"id": ident, "address": address}

    def post_havip(self, value, words):
        cloud = value["cloud"]
        ident = value.get("id") or self.new_id(cloud, "havip")
        self.world.add("havip", cloud, ident, address=value["address"], zone=value.get("zone", ZONES[cloud]), subnet=value.get("subnet") or self.subnet(cloud),
                       members=(), master="", state="Available")
        return {"id": ident}

    def post_route_table(self, value, words):
        """routes: a list of [destination, instance]."""
        cloud = value["cloud"]
        ident = value.get("id") or self.new_id(cloud, "route-table")
        routes = [("10.0.0.0/8", "local", "local", "")]
        for destination, instance in value.get("routes", []):
            routes.append((destination, "nic", self.world.get(cloud, "instance", instance).nic, self.new_id(cloud, "route")))
        self.world.add("route-table", cloud, ident, routes=tuple(routes))
        return {"id": ident}

    def post_group(self, value, words):
        """A target group: of AWS its ARN, of Aliyun a balancer or server group, of Tencent BALANCER/LISTENER, of Huawei a pool."""
        cloud = value["cloud"]
        ident = value.get("id") or self.new_id(cloud, value.get("type", "group"))
        self.world.add("group", cloud, ident, name=value.get("name", "service"), port=value.get("port", 80), type=value.get("type", "group"),
                       members={}, sick=(), drain=value.get("drain", 0))
        return {"id": ident}

    def new_id(self, cloud, kind):
        world = self.world
        if cloud == "aws":
            if kind in ("group",):
                return "arn:aws:elasticloadbalancing:%s:%s:targetgroup/%s/%s" % (REGIONS["aws"], ACCOUNT, world.word(6), world.hexid(16))
            prefix = {"instance": "i-", "disk": "vol-", "nic": "eni-", "eip": "eipalloc-", "subnet": "subnet-", "route-table": "rtb-", "route": "r-"}[kind]
            return prefix + world.hexid(17)
        if cloud == "aliyun":
            prefix = {"instance": "i-bp1", "disk": "d-bp1", "nic": "eni-bp1", "eip": "eip-bp1", "subnet": "vsw-bp1", "route-table": "vtb-bp1", "route": "rte-bp1",
                      "havip": "havip-bp1", "slb": "lb-bp1", "group": "lb-bp1", "vgroup": "rsp-bp1", "alb": "sgp-", "nlb": "sgp-"}[kind]
            return prefix + world.word(17)
        if cloud == "tencent":
            if kind == "group":
                return "lb-%s/lbl-%s" % (world.word(8), world.word(8))
            prefix = {"instance": "ins-", "disk": "disk-", "nic": "eni-", "eip": "eip-", "subnet": "subnet-", "route-table": "rtb-", "route": "rti-", "havip": "havip-"}[kind]
            return prefix + world.word(8)
        return world.uuid()

    # --- changing and looking ---

    def post_set(self, value, words):
        thing = self.world.get(value["cloud"], value["kind"], value["id"])
        fields = value["fields"]
        if "state" in fields and value["kind"] == "instance":
            fields = dict(fields, operation=thing.operation + 1)
        if "attachments" in fields:
            fields["attachments"] = tuple(tuple(item) for item in fields["attachments"])
        for name in ("addresses", "members", "sick", "routes"):
            if isinstance(fields.get(name), list):
                fields[name] = tuple(tuple(item) if isinstance(item, list) else item for item in fields[name])
        thing.set(**fields)
        return {}

    def post_power(self, value, words):
        """As from the cloud's console: action is off, on or terminate."""
        instance = self.world.get(value["cloud"], "instance", value["id"])
        call = {"off": lambda: self.world.stop_instance(instance, True), "on": lambda: self.world.start_instance(instance),
                "terminate": lambda: self.world.terminate_instance(instance)}[value["action"]]
        call()
        return {}

    def post_release(self, value, words):
        """The guest gives a disk free that it had open; a detach that waited for it goes on."""
        disk = self.world.get(value["cloud"], "disk", value["id"])
        disk.set(open_in_guest=False)
        for item in disk.attachments:
            if item[2] == "detaching":
                instance = self.world.get(disk.cloud, "instance", item[0])
                self.world.after(self.world.delay("detach"), self.world._detached, disk, instance, None)
        return {}

    def post_faults(self, value, words):
        if isinstance(value, list):
            for rule in value:
                self.simulator.faults.add(rule)
        else:
            self.simulator.faults.draw(**value)
        return {}

    def delete_faults(self, value, words):
        done = self.simulator.faults.done
        self.simulator.faults.clear()
        return done

    def get_faults(self, value, words):
        return self.simulator.faults.done

    def get_state(self, value, words):
        return self.world.truth()

    def get_get(self, value, words):
        found = self.world.truth()
        # A balancer's id may hold a slash.
        while words:
            for length in range(len(words), 0, -1):
                key = "/".join(words[:length]).replace("%2F", "/")
                if isinstance(found, dict) and key in found:
                    found = found[key]
                    break
                if isinstance(found, (list, tuple)) and key.isdigit() and int(key) < len(found):
                    found = found[int(key)]
                    break
            else:
                return Reply(404, "no " + "/".join(words) + "\n", "text/plain")
            words = words[length:]
        return Reply(200, (found if isinstance(found, str) else json.dumps(found)) + "\n", "text/plain")

    def wait_for(self, good, seconds):
        end = time.monotonic() + seconds
        while not good():
            if time.monotonic() > end:
                return json_reply(408, {"error": "not so in time"})
            self.world.changed.wait(min(0.1, max(0.001, end - time.monotonic())))
        return {}

    def post_wait(self, value, words):
        thing = self.world.get(value["cloud"], value["kind"], value["id"])
        return self.wait_for(lambda: getattr(thing, value["field"]) == value["value"], value.get("seconds", 20))

    def post_quiet(self, value, words):
        return self.wait_for(self.world.quiet, value.get("seconds", 20))

    def get_log(self, value, words):
        return self.simulator.log

    def delete_log(self, value, words):
        self.simulator.log.clear()
        return {}

    def get_count(self, value, words):
        pattern = "/".join(words)
        return Reply(200, "%d\n" % sum(1 for entry in self.simulator.log if re.search(pattern, entry["action"])), "text/plain")

    def get_hooks(self, value, words):
        return self.world.hook_log

    def get_keys(self, value, words):
        return {cloud: {"key": keys["key"], "secret": keys["secret"]} for (cloud, _), keys in self.world.accounts.items() if not keys.get("token")}
