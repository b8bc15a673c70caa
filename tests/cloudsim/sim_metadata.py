# SPDX-License-Identifier: GPL-2.0-or-later
"""The metadata services: who the asking instance is, and the keys of its role. Which instance asks is known by the port, or by its address.

Settings: "metadata_token" is "required", "optional", "disabled" (403 to all) per simulator; "role" is the role's name, "" for none;
"role_seconds" is how long a role's keys live.
"""
import json
import time

from sim_http import Reply, json_reply
from sim_state import ACCOUNT, PROJECT, REGIONS

TOKEN = {
    "aws": ("/latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"),
    "aliyun": ("/latest/api/token", "x-aliyun-ecs-metadata-token-ttl-seconds", "x-aliyun-ecs-metadata-token"),
    "huawei": ("/meta-data/latest/api/token", "x-metadata-token-ttl-seconds", "x-metadata-token"),
}
TOKEN_LIMIT = 21600


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Metadata:
    def __init__(self, world):
        self.world = world
        self.tokens = {}

    def is_path(self, path):
        return path.startswith(("/latest/", "/openstack/", "/meta-data/", "/metadata/"))

    def answer(self, request, instance):
        """The reply to a request of that instance."""
        path = request.target.partition("?")[0]
        mode = self.world.settings.get("metadata_token", "optional")
        if mode == "disabled":
            return Reply(403, "Forbidden\n", "text/plain")
        rule = TOKEN.get(instance.cloud)
        if rule and request.method == "PUT" and path == rule[0]:
            return self.give_token(request, rule)
        if request.method != "GET":
            return Reply(405, "", "text/plain")
        if rule and not self.token_good(request, rule, mode):
            return Reply(401, "<html><title>401 - Unauthorized</title></html>", "text/html")
        found = getattr(self, "get_" + instance.cloud)(path, instance)
        return Reply(404, "<html><title>404 - Not Found</title></html>", "text/html") if found is None else found

    def give_token(self, request, rule):
        if request.header("x-forwarded-for"):
            return Reply(403, "", "text/plain")
        try:
            seconds = int(request.header(rule[1]) or "")
        except ValueError:
            seconds = 0
        if not 1 <= seconds <= TOKEN_LIMIT:
            return Reply(400, "", "text/plain")
        with self.world.lock:
            token = self.world.word(56)
            self.tokens[token] = time.monotonic() + seconds
        return Reply(200, token, "text/plain", [(rule[1], str(seconds))])

    def token_good(self, request, rule, mode):
        token = request.header(rule[2])
        if token is None:
            return mode == "optional"
        return self.tokens.get(token, 0) > time.monotonic()

    # --- keys of the role ---

    def role_keys(self, instance):
        """Fresh keys in good time before the old ones end, as the services do; old ones go on working until then."""
        world, life = self.world, self.world.settings.get("role_seconds", 3600)
        with world.lock:
            keys = instance.now.get("keys")
            if not keys or keys["expires"] - time.time() < life * 0.1:
                prefix = {"aws": "ASIA", "aliyun": "STS.", "tencent": "AKID", "huawei": "HST"}[instance.cloud]
                keys = {"key": prefix + world.word(16).upper(), "secret": world.word(40), "token": world.word(120), "expires": time.time() + life}
                world.accounts[(instance.cloud, keys["key"])] = keys
                instance.set(keys=keys)
            return keys

    def role_path(self, path, prefix, instance, form):
        role = self.world.settings.get("role", "vigil")
        if path in (prefix, prefix.rstrip("/")):
            return Reply(200, role, "text/plain") if role else None
        return form(self.role_keys(instance)) if role and path == prefix + role else None

    # --- one service each ---

    def texts(self, path, prefix, table):
        """Leaves are texts; a folder lists what is in it."""
        if path in table:
            return Reply(200, table[path], "text/plain")
        folder = path.rstrip("/") + "/"
        inside = sorted({key[len(folder):].split("/")[0] + ("/" if "/" in key[len(folder):] else "") for key in table if key.startswith(folder)})
        return Reply(200, "\n".join(inside), "text/plain") if inside and path.startswith(prefix) else None

    def nic(self, instance):
        return self.world.get(instance.cloud, "nic", instance.nic).view(self.world.settings["address"] * self.world.settings["scale"]) or \
            self.world.get(instance.cloud, "nic", instance.nic)

    def get_aws(self, path, instance):
        role = self.role_path(path, "/latest/meta-data/iam/security-credentials/", instance, lambda keys: json_reply(200, {
            "Code": "Success", "LastUpdated": stamp(time.time()), "Type": "AWS-HMAC", "AccessKeyId": keys["key"],
            "SecretAccessKey": keys["secret"], "Token": keys["token"], "Expiration": stamp(keys["expires"])}))
        if role:
            return role
        nic, meta = self.nic(instance), "/latest/meta-data/"
        interface = meta + "network/interfaces/macs/" + nic.mac + "/"
        if path == "/latest/dynamic/instance-identity/document":
            return Reply(200, json.dumps({"accountId": ACCOUNT, "availabilityZone": instance.zone, "instanceId": instance.id,
                                          "privateIp": nic.addresses[0], "region": REGIONS["aws"], "version": "2017-09-30"}), "text/plain")
        public = [view.address for view in self.world.views("aws", "eip") if view.nic == nic.id]
        return self.texts(path, meta, {
            **({interface + "public-ipv4s": "\n".join(public)} if public else {}),
            meta + "instance-id": instance.id, meta + "placement/region": REGIONS["aws"], meta + "placement/availability-zone": instance.zone,
            meta + "local-ipv4": nic.addresses[0], meta + "mac": nic.mac, meta + "services/domain": "amazonaws.com",
            interface + "interface-id": nic.id, interface + "local-ipv4s": "\n".join(nic.addresses), interface + "device-number": "0"})

    def get_aliyun(self, path, instance):
        role = self.role_path(path, "/latest/meta-data/ram/security-credentials/", instance, lambda keys: json_reply(200, {
            "AccessKeyId": keys["key"], "AccessKeySecret": keys["secret"], "Expiration": stamp(keys["expires"]),
            "SecurityToken": keys["token"], "LastUpdated": stamp(time.time()), "Code": "Success"}))
        if role:
            return role
        nic, meta = self.nic(instance), "/latest/meta-data/"
        interface = meta + "network/interfaces/macs/" + nic.mac + "/"
        if path == "/latest/dynamic/instance-identity/document":
            return Reply(200, json.dumps({"account-id": ACCOUNT, "instance-id": instance.id, "mac": nic.mac, "private-ipv4": nic.addresses[0],
                                          "region-id": REGIONS["aliyun"], "zone-id": instance.zone, "serial-number": instance.uuid}), "text/plain")
        return self.texts(path, meta, {
            meta + "instance-id": instance.id, meta + "region-id": REGIONS["aliyun"], meta + "zone-id": instance.zone, meta + "mac": nic.mac,
            meta + "private-ipv4": nic.addresses[0], meta + "serial-number": instance.uuid, interface + "network-interface-id": nic.id,
            interface + "primary-ip-address": nic.addresses[0], interface + "private-ipv4s": json.dumps(list(nic.addresses))})

    def get_tencent(self, path, instance):
        role = self.role_path(path, "/latest/meta-data/cam/security-credentials/", instance, lambda keys: json_reply(200, {
            "TmpSecretId": keys["key"], "TmpSecretKey": keys["secret"], "ExpiredTime": int(keys["expires"]),
            "Expiration": stamp(keys["expires"]), "Token": keys["token"], "Code": "Success"}))
        if role:
            return role
        nic, meta = self.nic(instance), "/latest/meta-data/"
        interface = meta + "network/interfaces/macs/" + nic.mac + "/"
        table = {
            meta + "instance-id": instance.id, meta + "placement/region": REGIONS["tencent"], meta + "placement/zone": instance.zone,
            meta + "mac": nic.mac, meta + "local-ipv4": nic.addresses[0], meta + "uuid": instance.uuid,
            interface + "mac": nic.mac, interface + "primary-local-ipv4": nic.addresses[0], interface + "network-interface-id": nic.id}
        for address in nic.addresses:
            table[interface + "local-ipv4s/" + address + "/local-ipv4"] = address
        return self.texts(path, meta, table)

    def get_huawei(self, path, instance):
        nic = self.nic(instance)
        if path == "/openstack/latest/securitykey":
            if not self.world.settings.get("role", "vigil"):
                return None
            keys = self.role_keys(instance)
            return json_reply(200, {"credential": {"access": keys["key"], "secret": keys["secret"], "securitytoken": keys["token"],
                                                   "expires_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(keys["expires"]))}})
        if path == "/openstack/latest/meta_data.json":
            return json_reply(200, {"uuid": instance.id, "name": instance.name, "hostname": instance.name, "availability_zone": instance.zone,
                                    "region_id": REGIONS["huawei"], "project_id": PROJECT, "meta": {"os_type": "Linux"}, "launch_index": 0})
        if path == "/openstack/latest/network_data.json":
            return json_reply(200, {"services": [], "links": [{"type": "cascading", "id": "tap" + nic.id[:11], "vif_id": nic.id,
                                                               "ethernet_mac_address": nic.mac, "mtu": None}],
                                    "networks": [{"network_id": nic.subnet, "type": "ipv4_dhcp", "link": "tap" + nic.id[:11], "id": "network0"}]})
        return self.texts(path, "/latest/meta-data/", {
            "/latest/meta-data/instance-id": instance.id, "/latest/meta-data/placement/availability-zone": instance.zone,
            "/latest/meta-data/local-ipv4": nic.addresses[0]})
