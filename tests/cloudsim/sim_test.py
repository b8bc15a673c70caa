#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulator's own tests: signatures against the vendors' vectors, and what is so of the state. sim_test.py VECTORS-FILE"""
import calendar
import importlib.machinery
import importlib.util
import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import sim_sign
from sim_http import Request
from sim_sign import BadSignature
from sim_state import PROJECT, Refused

loader = importlib.machinery.SourceFileLoader("cloudsim", os.path.join(HERE, "cloudsim"))
cloudsim = importlib.util.module_from_spec(importlib.util.spec_from_loader("cloudsim", loader))
loader.exec_module(cloudsim)
VECTORS = sys.argv.pop(1) if len(sys.argv) > 1 else ""


def vectors():
    with open(VECTORS, encoding="utf-8") as file:
        return json.load(file)["vectors"]


def request_of(vector):
    asked = vector["request"]
    return Request(asked["method"], asked["target"], [tuple(pair) for pair in asked["headers"]], asked["body"].encode())


def time_of(request):
    """When a vector was signed: each is checked as if it were then."""
    stamp = request.header("x-amz-date") or request.header("x-sdk-date") or request.header("x-acs-date") or request.header("x-tc-timestamp")
    stamp = stamp or dict(sim_sign.query_pairs(request.target.partition("?")[2]))["Timestamp"]
    if stamp.isdigit():
        return int(stamp)
    return calendar.timegm(time.strptime(stamp.replace("-", "").replace(":", ""), "%Y%m%dT%H%M%SZ"))


class Signatures(unittest.TestCase):
    def check(self, request, secret, now):
        return sim_sign.scheme_of(request)[1](request, lambda cloud, key, token: secret, now)

    def each(self):
        for vector in vectors():
            request = request_of(vector)
            with self.subTest(vector["name"]):
                yield vector, request, vector["credentials"]["sk"], time_of(request)

    def test_vectors_pass(self):
        schemes = {self.check(request, secret, now).scheme for _, request, secret, now in self.each()}
        self.assertTrue({"acs3", "aliyun-v1", "tc3", "sdk-hmac"} <= schemes, schemes)

    def test_another_secret_is_refused(self):
        for _, request, secret, now in self.each():
            with self.assertRaises(BadSignature):
                self.check(request, secret + "x", now)

    def test_another_body_is_refused(self):
        for _, request, secret, now in self.each():
            request.body += b"&x=1"
            with self.assertRaises(BadSignature):
                self.check(request, secret, now)

    def test_another_target_is_refused(self):
        for _, request, secret, now in self.each():
            request.target += ("&" if "?" in request.target else "?") + "More=1"
            with self.assertRaises(BadSignature):
                self.check(request, secret, now)

    def test_an_old_request_is_refused(self):
        for _, request, secret, now in self.each():
            for when in (now + 901, now - 901):
                with self.assertRaises(BadSignature) as caught:
                    self.check(request, secret, when)
                self.assertEqual(caught.exception.problem, "skew")

    def test_a_nonce_is_good_once(self):
        simulator = cloudsim.Simulator()
        for request, params in ((Request("POST", "/", [("x-acs-signature-nonce", "one")], b""), {}), (Request("POST", "/", [], b""), {"SignatureNonce": "two"})):
            simulator.check_nonce(request, params, "aliyun")
            with self.assertRaises(BadSignature) as caught:
                simulator.check_nonce(request, params, "aliyun")
            self.assertEqual(caught.exception.problem, "nonce")
        with self.assertRaises(BadSignature):
            simulator.check_nonce(Request("POST", "/", [], b""), {}, "aliyun")

    def test_sigv4_with_token(self):
        # The worked example of the signing page's key derivation, with a body and a session token.
        headers = [("Host", "ec2.us-east-1.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z"), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
                   ("X-Amz-Security-Token", "token")]
        body = b"Action=DescribeInstances&Version=2016-11-15"
        names = "content-type;host;x-amz-date;x-amz-security-token"
        canonical = "POST\n/\n\n" + "".join("%s:%s\n" % (n, dict((k.lower(), v) for k, v in headers)[n]) for n in names.split(";"))
        canonical += "\n" + names + "\n" + sim_sign.sha256_hex(body)
        scope = "20150830/us-east-1/ec2/aws4_request"
        key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        for word in scope.split("/"):
            key = sim_sign.hmac256(key, word)
        sign = sim_sign.hmac256(key, "\n".join(["AWS4-HMAC-SHA256", "20150830T123600Z", scope, sim_sign.sha256_hex(canonical.encode())])).hex()
        for signed, good in ((names, True), ("content-type;host;x-amz-date", False)):
            request = Request("POST", "/", headers + [("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s, SignedHeaders=%s, Signature=%s" % (scope, signed, sign))], body)
            now = calendar.timegm((2015, 8, 30, 12, 36, 0))
            if good:
                self.assertEqual(self.check(request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", now).service, "ec2")
            else:
                with self.assertRaises(BadSignature) as caught: # a token that is not signed
                    self.check(request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", now)
                self.assertEqual(caught.exception.problem, "not-signed")

    def test_sigv4_key_derivation(self):
        # The vendor's published example of a derived key.
        key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        for word in ("20150830", "us-east-1", "iam", "aws4_request"):
            key = sim_sign.hmac256(key, word)
        self.assertEqual(key.hex(), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9")


class Clouds(unittest.TestCase):
    def setUp(self):
        self.sim = cloudsim.Simulator(seed=1)
        self.sim.reset({"scale": 0.02})

    def post(self, path, value):
        reply = self.sim.control.answer(Request("POST", "/_sim/" + path, [], json.dumps(value).encode()))
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def quiet(self):
        self.post("quiet", {"seconds": 60})

    def make(self, cloud, **disk):
        one, two = (self.post("instance", {"cloud": cloud, "name": name, "metadata": False}) for name in ("n1", "n2"))
        return one, two, self.post("disk", dict({"cloud": cloud}, **disk))

    def call(self, cloud, service, action, params, body=None):
        """Returns (None, answer), or (the error's code, None)."""
        request = Request("POST", "/", [("x-tc-version", "2017-03-12")], json.dumps(body).encode() if body else b"")
        handler = self.sim.clouds[cloud]
        try:
            with self.sim.world.lock:
                self.sim.world.building = False
                reply = handler.run(service, action, params, request)
            return None, json.loads(reply.body or b"{}") if cloud != "aws" else reply.body.decode()
        except Refused as refused:
            body = handler.refuse(refused, service, action).body.decode()
            if cloud == "aws":
                return body.split("<Code>")[1].split("<")[0], None
            value = json.loads(body)
            value = value.get("Response", value)
            value = value.get("Error", value.get("error", value))
            return value.get("Code") or value.get("code") or value.get("error_code"), None

    def attach(self, cloud, disk, instance):
        return self.call(cloud, *{
            "aws": ("ec2", "AttachVolume", {"VolumeId": disk, "InstanceId": instance, "Device": "/dev/sdf"}),
            "aliyun": ("ecs", "AttachDisk", {"DiskId": disk, "InstanceId": instance}),
            "tencent": ("cbs", "AttachDisks", {"DiskIds": [disk], "InstanceId": instance}),
            "huawei": ("ecs", "AttachServerVolume", {"p": PROJECT, "server": instance}, {"volumeAttachment": {"volumeId": disk}})}[cloud])[0]

    def detach(self, cloud, disk, instance):
        return self.call(cloud, *{
            "aws": ("ec2", "DetachVolume", {"VolumeId": disk, "InstanceId": instance}),
            "aliyun": ("ecs", "DetachDisk", {"DiskId": disk, "InstanceId": instance}),
            "tencent": ("cbs", "DetachDisks", {"DiskIds": [disk], "InstanceId": instance}),
            "huawei": ("ecs", "DetachServerVolume", {"p": PROJECT, "server": instance, "volume": disk})}[cloud])[0]

    def stop(self, cloud, instance):
        return self.call(cloud, *{
            "aws": ("ec2", "StopInstances", {"InstanceId.1": instance, "Force": "true", "SkipOsShutdown": "true"}),
            "aliyun": ("ecs", "StopInstance", {"InstanceId": instance, "ForceStop": "true"}),
            "tencent": ("cvm", "StopInstances", {"InstanceIds": [instance], "StopType": "HARD"}),
            "huawei": ("ecs", "ServersAction", {"p": PROJECT}, {"os-stop": {"type": "HARD", "servers": [{"id": instance}]}})}[cloud])[0]

    def each(self):
        for cloud in cloudsim.KEYS:
            with self.subTest(cloud):
                yield cloud

    def state(self, cloud, kind, ident):
        return self.sim.world.get(cloud, kind, ident)

    def test_a_disk_is_attached_once(self):
        refused = {"aws": ("VolumeInUse", "VolumeInUse"), "aliyun": ("IncorrectDiskStatus", "IncorrectDiskStatus"),
                   "tencent": ("InvalidDisk.Attached", "ResourceUnavailable.Attached"), "huawei": ("Ecs.0057", "Ecs.0103")}
        for cloud in self.each():
            one, two, disk = self.make(cloud)
            with self.sim.world.lock: # nothing goes on meanwhile
                self.assertIsNone(self.attach(cloud, disk["id"], one["id"]))
                self.assertEqual(self.state(cloud, "disk", disk["id"]).attachments[0][2], "attaching")
            self.quiet()
            self.assertEqual(self.state(cloud, "disk", disk["id"]).attachments[0][2], "attached")
            self.assertEqual((self.attach(cloud, disk["id"], one["id"]), self.attach(cloud, disk["id"], two["id"])), refused[cloud])

    def test_a_detach_says_what_is_wrong(self):
        refused = {"aws": ("InvalidAttachment.NotFound", "IncorrectState"), "aliyun": ("DependencyViolation.InstanceNotAttached", "InvalidDisk.AlreadyDetached"),
                   "tencent": ("InvalidParameterValue", "UnsupportedOperation.StateError"), "huawei": ("Ecs.0111", "Ecs.0111")}
        for cloud in self.each():
            one, two, disk = self.make(cloud)
            self.attach(cloud, disk["id"], one["id"])
            self.quiet()
            self.assertEqual(self.detach(cloud, disk["id"], two["id"]), refused[cloud][0])
            self.assertIsNone(self.detach(cloud, disk["id"], one["id"]))
            self.quiet()
            self.assertEqual(self.state(cloud, "disk", disk["id"]).state, "available")
            self.assertEqual(self.detach(cloud, disk["id"], one["id"]), refused[cloud][1])

    def test_a_disk_of_another_zone_is_refused(self):
        refused = {"aws": "InvalidVolume.ZoneMismatch", "aliyun": "ResourcesNotInSameZone", "tencent": "ResourceUnavailable.ZoneNotMatch", "huawei": "Ecs.0121"}
        for cloud in self.each():
            one, _, disk = self.make(cloud, zone="elsewhere-9z")
            self.assertEqual(self.attach(cloud, disk["id"], one["id"]), refused[cloud])

    def test_a_stopped_instance_cannot_be_stopped(self):
        # AWS alone takes it as done.
        refused = {"aws": None, "aliyun": "IncorrectInstanceStatus", "tencent": "UnsupportedOperation.InstanceStateStopped", "huawei": "Ecs.0100"}
        for cloud in self.each():
            one, _, _ = self.make(cloud)
            with self.sim.world.lock:
                self.assertIsNone(self.stop(cloud, one["id"]))
                self.assertEqual(self.state(cloud, "instance", one["id"]).state, "stopping")
            self.quiet()
            self.assertEqual(self.state(cloud, "instance", one["id"]).state, "stopped")
            self.assertEqual(self.stop(cloud, one["id"]), refused[cloud])

    def test_aws_force_alone_waits_for_the_guest(self):
        one, _, _ = self.make("aws")
        self.sim.world.settings["graceful"] = 3600
        self.call("aws", "ec2", "StopInstances", {"InstanceId.1": one["id"], "Force": "true"})
        time.sleep(0.1)
        self.assertEqual(self.state("aws", "instance", one["id"]).state, "stopping")
        self.stop("aws", one["id"])
        self.post("wait", {"cloud": "aws", "kind": "instance", "id": one["id"], "field": "state", "value": "stopped"})

    def test_a_disk_that_the_guest_has_open_stays(self):
        for cloud in self.each():
            one, _, disk = self.make(cloud)
            self.attach(cloud, disk["id"], one["id"])
            self.quiet()
            self.state(cloud, "disk", disk["id"]).world.lock.acquire()
            self.state(cloud, "disk", disk["id"]).set(open_in_guest=True)
            self.sim.world.lock.release()
            self.detach(cloud, disk["id"], one["id"])
            self.quiet()
            self.assertEqual(self.state(cloud, "disk", disk["id"]).attachments[0][2], "detaching")
            self.post("release", {"cloud": cloud, "id": disk["id"]})
            self.quiet()
            self.assertEqual(self.state(cloud, "disk", disk["id"]).state, "available")

    def test_an_address_has_one_owner(self):
        world = self.sim.world
        for cloud in self.each():
            one, two, _ = self.make(cloud)
            with world.lock:
                world.assign_address(world.nic(cloud, one["nic"]), "10.0.0.99")
                with self.assertRaises(Refused):
                    world.assign_address(world.nic(cloud, two["nic"]), "10.0.0.99")
                world.assign_address(world.nic(cloud, two["nic"]), "10.0.0.99", take=True)
                self.assertNotIn("10.0.0.99", world.nic(cloud, one["nic"]).addresses)
                with self.assertRaises(Refused): # nobody's first address is moved
                    world.assign_address(world.nic(cloud, two["nic"]), one["address"], take=True)

    def test_a_describe_lags_behind(self):
        for cloud in self.each():
            self.sim.reset({"scale": 1.0, "lag": 5.0, "stop": 0})
            one, _, _ = self.make(cloud)
            self.stop(cloud, one["id"])
            self.quiet()
            seen = {next(v.state for v in self.sim.world.views(cloud, "instance") if v.id == one["id"]) for _ in range(50)}
            self.assertIn("running", seen)

    def test_a_failed_job_is_told_by_the_job(self):
        one, _, disk = self.make("huawei")
        self.sim.world.settings["job_failures"] = 1
        code, answer = self.call("huawei", "ecs", "AttachServerVolume", {"p": PROJECT, "server": one["id"]}, {"volumeAttachment": {"volumeId": disk["id"]}})
        self.assertIsNone(code)
        self.quiet()
        job = self.call("huawei", "ecs", "ShowJob", {"p": PROJECT, "job": answer["job_id"]})[1]
        self.assertEqual((job["status"], self.state("huawei", "disk", disk["id"]).state), ("FAIL", "available"))

    def test_the_same_schedule_spoils_the_same_requests(self):
        drawn = []
        for _ in range(2):
            self.sim.faults.clear()
            self.sim.faults.draw(7, 0.4)
            drawn.append([(self.sim.faults.pick("aws", "ec2", "DescribeVolumes", False) or {}).get("kind") for _ in range(60)])
        self.assertEqual(drawn[0], drawn[1])
        self.assertGreater(len(set(drawn[0])), 5)


if __name__ == "__main__":
    unittest.main(verbosity=1)
