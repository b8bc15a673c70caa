# SPDX-License-Identifier: GPL-2.0-or-later
"""What the simulated clouds hold, and how it changes: the same for all four.

Every change goes through a method of World under its lock. A change takes its time (settings: attach, detach, stop ...), and a describe
sees what was so a moment ago (lag), as in the clouds themselves. A refusal is a word ("attached-elsewhere"): each cloud has a table that
says how it words it. What the vendors' texts promise and what is only usual is kept apart nowhere: the sample replies decide.
"""
import collections
import heapq
import itertools
import random
import subprocess
import threading
import time

REGIONS = {"aws": "us-east-1", "aliyun": "cn-hangzhou", "tencent": "ap-guangzhou", "huawei": "cn-north-4"}
ZONES = {"aws": "us-east-1a", "aliyun": "cn-hangzhou-h", "tencent": "ap-guangzhou-3", "huawei": "cn-north-4a"}
PROJECT = "0123456789abcdef0123456789abcdef"
ACCOUNT = "123456789012"

# Seconds; each is multiplied by "scale". "graceful" is a stop that the guest's system may take its time for; a hard one takes "stop".
SETTINGS = {
    "scale": 1.0, "lag": 0.0, "attach": 0.3, "detach": 0.3, "stop": 0.4, "start": 0.4, "graceful": 60.0, "address": 0.2,
    "health": 0.3, "drain": 0.5, "snapshot": 0.5, "terminate": 0.3,
    "nonce_window": 900, "disk_limit": 28, "rate": 0, "burst": 0, "hooks": {}, "job_failures": 0, "hook_limit": 20.0,
}


class Refused(Exception):
    """A cloud says no. reason: a word of the clouds' tables; text: what it is about."""

    def __init__(self, reason, **about):
        super().__init__(reason)
        self.reason = reason
        self.about = about


class Thing:
    """An instance, disk, address ... with its past: set() keeps what was, view() gives it back."""

    def __init__(self, world, kind, cloud, ident, **fields):
        self.world, self.kind, self.cloud, self.id = world, kind, cloud, ident
        self.now = dict(fields, id=ident, cloud=cloud)
        self.past = collections.deque([(0.0 if world.building else time.monotonic(), self.now)], maxlen=40)

    def __getattr__(self, name):
        try:
            return self.__dict__["now"][name]
        except KeyError:
            raise AttributeError(name) from None

    def set(self, **fields):
        self.now = dict(self.now, **fields)
        self.past.append((time.monotonic(), self.now))
        self.world.changed.notify_all()

    def view(self, lag=0.0):
        """What a describe sees: the newest version that is at least lag seconds old; None when it was not there yet."""
        horizon = time.monotonic() - lag
        for when, fields in reversed(self.past):
            if when <= horizon:
                return View(fields)
        return None if len(self.past) < self.past.maxlen else View(self.past[0][1])


class View:
    def __init__(self, fields):
        self.__dict__.update(fields)


class World:
    def __init__(self, seed=0):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.timer = []
        self.order = itertools.count()
        self.random = random.Random(seed)
        self.begin = time.time()
        self.reset({})
        threading.Thread(target=self._run_timer, daemon=True).start()

    def reset(self, settings):
        with self.lock:
            self.settings = dict(SETTINGS, **settings)
            self.things = {}
            self.timer.clear()
            self.building = True # what is made now was always there
            self.generation = getattr(self, "generation", 0) + 1
            self.accounts = {}
            self.hook_log = []
            self.changed.notify_all()

    # --- things ---

    def add(self, kind, cloud, ident, **fields):
        with self.lock:
            thing = Thing(self, kind, cloud, ident, **fields)
            self.things[(cloud, kind, ident)] = thing
            self.changed.notify_all()
            return thing

    def get(self, cloud, kind, ident, reason=None):
        thing = self.things.get((cloud, kind, ident))
        if thing is None:
            raise Refused(reason or kind + "-missing", id=ident)
        return thing

    def all(self, cloud, kind):
        return [thing for (c, k, _), thing in list(self.things.items()) if c == cloud and k == kind]

    def views(self, cloud, kind):
        """What a describe sees now; the lag is drawn anew for each look, so that two in a row may not agree."""
        lag = self.random.uniform(0, self.settings["lag"] * self.settings["scale"])
        found = (thing.view(lag) for thing in self.all(cloud, kind))
        return [view for view in found if view is not None and not getattr(view, "deleted", False)]

    def hexid(self, digits):
        return "%0*x" % (digits, self.random.getrandbits(digits * 4))

    def word(self, length, letters="abcdefghijklmnopqrstuvwxyz0123456789"):
        return "".join(self.random.choice(letters) for _ in range(length))

    def uuid(self):
        return "-".join(self.hexid(n) for n in (8, 4, 4, 4, 12))

    # --- time ---

    def after(self, seconds, call, *words):
        """Calls it later, without the lock. What a reset has made pointless is not called."""
        with self.lock:
            due = time.monotonic() + seconds * self.settings["scale"]
            heapq.heappush(self.timer, (due, next(self.order), self.generation, call, words))
            self.changed.notify_all()

    def delay(self, name):
        # Not the same each time, as in life.
        return self.settings[name] * self.random.uniform(0.5, 1.2)

    def quiet(self):
        """True when no change is under way."""
        with self.lock:
            return not self.timer and not self.busy_hooks

    busy_hooks = 0

    def _run_timer(self):
        while True:
            with self.lock:
                while not self.timer or self.timer[0][0] > time.monotonic():
                    self.changed.wait(self.timer[0][0] - time.monotonic() if self.timer else None)
                _, _, generation, call, words = heapq.heappop(self.timer)
                if generation != self.generation:
                    continue
                hooks = bool(self.settings["hooks"])
                self.busy_hooks += 1
            if hooks:
                threading.Thread(target=self._call, args=(call, words), daemon=True).start()
            else:
                self._call(call, words)

    def _call(self, call, words):
        try:
            call(*words)
        finally:
            with self.lock:
                self.busy_hooks -= 1
                self.changed.notify_all()

    # --- hooks: what the tests' own nodes do when the cloud does something to them ---

    def run_hook(self, event, instance, *words):
        """Runs the program that is set for the event as PROGRAM EVENT INSTANCE NAME WORDS; False when it fails. Without the lock."""
        program = self.settings["hooks"].get(event) or self.settings["hooks"].get("all")
        if not program:
            return True
        line = [program, event, instance.id, instance.name, *map(str, words)]
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=self.settings["hook_limit"], check=False)
            code, output = done.returncode, done.stdout.decode("utf-8", "replace")
        except (OSError, subprocess.TimeoutExpired) as problem:
            code, output = -1, str(problem)
        with self.lock:
            self.hook_log.append({"time": time.time(), "command": line, "code": code, "output": output[-2000:]})
        return code == 0

    # --- instances ---

    def stop_instance(self, instance, hard):
        """The guest takes its time for a stop that is not hard; here it hangs, as the node that is to be fenced may."""
        if instance.state not in ("running", "pending"):
            raise Refused("instance-not-running", id=instance.id, state=instance.state)
        self._change_power(instance, "stopping", "stop" if hard else "graceful", self._stopped)

    def start_instance(self, instance):
        if instance.state != "stopped":
            raise Refused("instance-not-stopped", id=instance.id, state=instance.state)
        self._change_power(instance, "pending", "start", self._started)

    def reboot_instance(self, instance, hard):
        if instance.state != "running":
            raise Refused("instance-not-running", id=instance.id, state=instance.state)
        instance.set(rebooting=True, operation=instance.operation + 1)
        self.after(self.delay("stop" if hard else "graceful"), self._rebooted, instance, instance.operation)

    def terminate_instance(self, instance):
        self._change_power(instance, "shutting-down", "terminate", self._terminated)

    def _change_power(self, instance, state, delay, call):
        instance.set(state=state, operation=instance.operation + 1, rebooting=False)
        self.after(self.delay(delay), call, instance, instance.operation)

    def _current(self, instance, operation):
        return instance.operation == operation

    def _stopped(self, instance, operation):
        # The power goes first: "stopped" is never seen before it.
        if self._current(instance, operation) and self.run_hook("stop", instance):
            with self.lock:
                if self._current(instance, operation):
                    instance.set(state="stopped")

    def _started(self, instance, operation):
        with self.lock:
            if not self._current(instance, operation):
                return
            if not self.settings["hooks"]:
                instance.set(state="running")
                return
        if self.run_hook("start", instance):
            with self.lock:
                if self._current(instance, operation):
                    instance.set(state="running")

    def _rebooted(self, instance, operation):
        if self._current(instance, operation) and self.run_hook("stop", instance) and self.run_hook("start", instance):
            with self.lock:
                instance.set(rebooting=False, boots=instance.boots + 1)

    def _terminated(self, instance, operation):
        if self._current(instance, operation) and self.run_hook("stop", instance):
            with self.lock:
                instance.set(state="terminated")
                for disk in self.all(instance.cloud, "disk"):
                    self._drop_attachment(disk, instance.id)

    def runs(self, instance):
        """True where the guest may still write: only a state that is surely off is not."""
        return instance.state not in ("stopped", "terminated")

    # --- disks: attachments are tuples of (instance, device, state, time); each is replaced as a whole ---

    def attach_disk(self, disk, instance, device, when_done=None):
        if disk.state in ("error", "creating", "deleted"):
            raise Refused("disk-" + disk.state, id=disk.id)
        if disk.zone != instance.zone:
            raise Refused("other-zone", id=disk.id, zone=instance.zone)
        for holder, _, state, _ in disk.attachments:
            if holder == instance.id:
                raise Refused("attached-here" if state != "detaching" else "disk-detaching", id=disk.id, instance=holder)
            if not disk.multi_attach:
                raise Refused("attached-elsewhere" if state != "detaching" else "disk-detaching", id=disk.id, instance=holder)
        if instance.state not in ("running", "stopped"):
            raise Refused("instance-state", id=instance.id, state=instance.state)
        held = [item for other in self.all(disk.cloud, "disk") for item in other.attachments if item[0] == instance.id]
        if len(held) >= self.settings["disk_limit"]:
            raise Refused("disk-limit", id=instance.id)
        if device and any(item[1] == device for item in held):
            raise Refused("device-used", device=device)
        device = device or self._free_device(held)
        self._put_attachment(disk, (instance.id, device, "attaching", time.time()))
        self.after(self.delay("attach"), self._attached, disk, instance, when_done)
        return device

    def _free_device(self, held):
        """vdb to vdz, then vdaa and so on: as the kernel names them."""
        letters, taken = "abcdefghijklmnopqrstuvwxyz", {item[1] for item in held}
        names = list(letters[1:]) + [first + second for first in letters for second in letters]
        return next("/dev/vd" + name for name in names if "/dev/vd" + name not in taken)

    def _put_attachment(self, disk, item):
        kept = tuple(old for old in disk.attachments if old[0] != item[0])
        disk.set(attachments=kept + (item,), state="in-use")

    def _drop_attachment(self, disk, instance_id):
        kept = tuple(old for old in disk.attachments if old[0] != instance_id)
        disk.set(attachments=kept, state="in-use" if kept else "available")

    def _attached(self, disk, instance, when_done):
        item = self.attachment(disk, instance.id)
        if item is None or item[2] != "attaching":
            return
        if self.run_hook("attach", instance, disk.id, item[1], disk.serial, ",".join(disk.links)):
            with self.lock:
                item = self.attachment(disk, instance.id)
                if item is not None and item[2] == "attaching":
                    self._put_attachment(disk, (item[0], item[1], "attached", time.time()))
        if when_done:
            when_done()

    def attachment(self, disk, instance_id):
        return next((item for item in disk.attachments if item[0] == instance_id), None)

    def detach_disk(self, disk, instance_id=None, force=False, when_done=None):
        item = self.attachment(disk, instance_id) if instance_id else next(iter(disk.attachments), None)
        if not disk.attachments:
            raise Refused("not-attached", id=disk.id, instance=instance_id or "")
        if item is None:
            raise Refused("attached-to-other", id=disk.id, instance=instance_id)
        if item[2] == "detaching" and not force:
            raise Refused("disk-detaching", id=disk.id, instance=item[0])
        instance = self.get(disk.cloud, "instance", item[0])
        self._put_attachment(disk, item[:2] + ("detaching", item[3]))
        # A guest that has it open keeps it: only force, or the end of the guest, takes it away.
        if not (disk.open_in_guest and self.runs(instance) and not force):
            self.after(self.delay("detach"), self._detached, disk, instance, when_done)

    def _detached(self, disk, instance, when_done):
        item = self.attachment(disk, instance.id)
        if item is not None and self.run_hook("detach", instance, disk.id, item[1], disk.serial, ",".join(disk.links)):
            with self.lock:
                item = self.attachment(disk, instance.id)
                if item is not None and item[2] == "detaching":
                    self._drop_attachment(disk, instance.id)
        if when_done:
            when_done()

    # --- addresses ---

    def nic(self, cloud, ident):
        return self.get(cloud, "nic", ident)

    def assign_address(self, nic, address, take=False):
        for other in self.all(nic.cloud, "nic"):
            if address in other.addresses:
                if other.id == nic.id:
                    return
                if not take or other.addresses[0] == address:
                    raise Refused("address-assigned", address=address, nic=other.id)
                other.set(addresses=tuple(a for a in other.addresses if a != address))
        nic.set(addresses=nic.addresses + (address,))

    def unassign_address(self, nic, address):
        if address not in nic.addresses[1:]:
            raise Refused("address-not-assigned", address=address, nic=nic.id)
        nic.set(addresses=tuple(a for a in nic.addresses if a != address))

    def bind_eip(self, eip, nic, private, take):
        if eip.nic and eip.nic != nic.id and not take:
            raise Refused("eip-bound", id=eip.id, nic=eip.nic)
        if private and private not in nic.addresses:
            raise Refused("address-not-assigned", address=private, nic=nic.id)
        eip.set(nic=nic.id, private=private or nic.addresses[0], association=self.hexid(17))

    def unbind_eip(self, eip):
        if not eip.nic:
            raise Refused("eip-free", id=eip.id)
        eip.set(nic="", private="", association="")

    def replace_route(self, table, destination, kind, target):
        if not any(route[0] == destination for route in table.routes):
            raise Refused("route-missing", id=table.id, destination=destination)
        table.set(routes=tuple((destination, kind, target) + route[3:] if route[0] == destination else route for route in table.routes))

    # --- balancers: members is a dict of key -> (state, weight) ---

    def register(self, group, key, weight=100):
        members = dict(group.members)
        old = members.get(key)
        state = "initial" if old is None or old[0] == "draining" else old[0]
        members[key] = (state, weight)
        group.set(members=members)
        if state == "initial":
            self.after(self.delay("health"), self._member_checked, group, key)

    def deregister(self, group, key):
        members = dict(group.members)
        if key not in members:
            raise Refused("member-missing", member=key, id=group.id)
        if group.drain > 0:
            members[key] = ("draining", members[key][1])
            self.after(group.drain, self._member_drained, group, key)
        else:
            del members[key]
        group.set(members=members)

    def _member_checked(self, group, key):
        with self.lock:
            members = dict(group.members)
            if members.get(key, ("",))[0] in ("initial", "healthy", "unhealthy"):
                members[key] = ("unhealthy" if key in group.sick else "healthy", members[key][1])
                group.set(members=members)

    def _member_drained(self, group, key):
        with self.lock:
            members = dict(group.members)
            if members.get(key, ("",))[0] == "draining":
                del members[key]
                group.set(members=members)

    # --- jobs ---

    def job(self, cloud, kind, **about):
        return self.add("job", cloud, self.hexid(32), type=kind, status="RUNNING", about=about, code=None, reason=None, begin=time.time())

    def finish_job(self, job, error=None):
        with self.lock:
            if self.settings["job_failures"] > 0 and error is None:
                self.settings["job_failures"] -= 1
                error = ("Ecs.0000", "Request error. Try again later or contact customer service.")
            job.set(status="FAIL" if error else "SUCCESS", code=error and error[0], reason=error and error[1])

    # --- the truth, for tests ---

    def truth(self):
        with self.lock:
            out = {}
            for (cloud, kind, ident), thing in self.things.items():
                fields = {key: value for key, value in thing.now.items() if key not in ("id", "cloud")}
                if "members" in fields:
                    fields["members"] = {" ".join(map(str, k)): list(v) for k, v in fields["members"].items()}
                out.setdefault(cloud, {}).setdefault(kind, {})[ident] = fields
            return out
