/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each source of vigild against the real kernel, in namespaces of this process's own: what it sees is reported once, with its reason; what it does
 * not see is not. Pacemaker and the recorder are replaced by what is noted here.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "net/interface_address.h"
#include "storage/device_io.h"
#include "storage/reservation.h"
#include "tools/watcher/cluster_link.h"
#include "tools/watcher/privileges.h"
#include "tools/watcher/watcher.h"
#include "tools/watcher/worker.h"

static struct watcher watcher = { .folder_fd = -1, .lock_fd = -1 };
static unsigned int reports;
static char last_reason[EVENT_TEXT_SIZE];
static int report_answer; /* what Pacemaker is made to say */
static bool answer_later; /* when the test says so */
static unsigned int duplicates;
static int kernel_end = -1; /* what is written here comes as the kernel's uevents */
static int device_answer;   /* whether devices are there; -1: the real ones are asked */
static char folder[PATH_MAX];

/* ---- what stands in for the rest --------------------------------------------------------------------------------------------- */

int __wrap_cluster_link_report(struct watcher *own, const struct watch *watch, const char *why);
uint64_t __wrap_recorder_note_text(struct recorder *recorder, enum event_kind kind, const char *resource, const char *peer, int64_t value, const char *text);
int __wrap_uevent_open(void);
int __real_device_present(dev_t number);
int __wrap_device_present(dev_t number);
int __wrap_device_from_number(dev_t number, struct block_device *ret);
int __wrap_reservation_open(const char *spec, struct deadline deadline, struct text_buffer *why, struct reservation_device **ret);
int __wrap_reservation_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret);
void __wrap_reservation_close(struct reservation_device *device);

static void answer_report(void *data)
{
    watch_report_answered(&watcher, (uint64_t)(uintptr_t)data, report_answer);
}

int __wrap_cluster_link_report(struct watcher *own, const struct watch *watch, const char *why)
{
    reports++;
    (void)text_format(last_reason, sizeof(last_reason), "%s", why);
    if (answer_later)
        return 0;
    return qb_loop_job_add(own->loop, QB_LOOP_HIGH, (void *)(uintptr_t)watch->report_id, answer_report);
}

uint64_t __wrap_recorder_note_text(struct recorder *recorder, enum event_kind kind, const char *resource, const char *peer, int64_t value, const char *text)
{
    (void)recorder, (void)resource, (void)peer, (void)value;
    duplicates += kind == EVENT_NOTE && text && strstr(text, "duplicate address") != NULL;
    return 0;
}

int __wrap_uevent_open(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    if (kernel_end >= 0)
        (void)close(kernel_end);
    kernel_end = ends[1];
    return ends[0];
}

int __wrap_device_present(dev_t number)
{
    return device_answer >= 0 ? device_answer : __real_device_present(number);
}

int __wrap_device_from_number(dev_t number, struct block_device *ret)
{
    ret->number = number;
    (void)text_format(ret->path, sizeof(ret->path), "%s/device", folder);
    return 0;
}

int __wrap_reservation_open(const char *spec, struct deadline deadline, struct text_buffer *why, struct reservation_device **ret)
{
    (void)spec, (void)deadline, (void)why;
    *ret = (struct reservation_device *)(uintptr_t)1;
    return 0;
}

/* The file "reservation" says what the device says: key as a digit, or E for a path that is lost. */
int __wrap_reservation_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret)
{
    char path[PATH_MAX + 16], word[8] = "";

    (void)device, (void)deadline;
    (void)text_format(path, sizeof(path), "%s/reservation", folder);
    (void)file_read_line(path, word, sizeof(word));
    if (word[0] == 'E')
        return -RESERVATION_TRANSPORT;
    memset(ret, 0, sizeof(*ret));
    ret->type = RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS;
    ret->key_count = 1;
    ret->keys[0] = (uint64_t)(word[0] - '0');
    return 0;
}

void __wrap_reservation_close(struct reservation_device *device)
{
    (void)device;
}

/* ---- the bench ------------------------------------------------------------------------------------------------------------------ */

static void stop_loop(void *data)
{
    qb_loop_stop(data);
}

static void run_for(uint64_t ms)
{
    qb_loop_timer_handle handle;

    watcher_timer(&watcher, ms, watcher.loop, stop_loop, &handle);
    qb_loop_run(watcher.loop);
}

/* Runs the loop until it is so; fails the test after 20 s. A loaded machine may take its time: what has to happen is waited for, and only what must
 * not happen is given a fixed time. */
#define AWAIT(condition)                                                                                                                            \
    do {                                                                                                                                            \
        struct deadline await_deadline_ = deadline_in(20000);                                                                                       \
                                                                                                                                                    \
        while (!(condition) && !deadline_passed(await_deadline_))                                                                                   \
            run_for(5);                                                                                                                             \
        assert_true(condition);                                                                                                                     \
    } while (0)

/* Until there are so many reports, and no more. */
static void await_reports(unsigned int count)
{
    AWAIT(reports >= count);
    assert_int_equal(reports, count);
}

static void write_text(const char *name, const char *text)
{
    char path[PATH_MAX + 32];
    int fd;

    (void)text_format(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* Whoever reads it meanwhile sees the old or the new, never a part. */
static void replace_text(const char *name, const char *text)
{
    char from[PATH_MAX + 32], to[PATH_MAX + 32];

    write_text("new", text);
    (void)text_format(from, sizeof(from), "%s/new", folder);
    (void)text_format(to, sizeof(to), "%s/%s", folder, name);
    assert_int_equal(rename(from, to), 0);
}

static void register_item(const char *line)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 }, why = { 0 };
    int r;

    text_buffer_printf(&text, "vigil-watch 1\nresource thing\tagent=app\n%s\n", line);
    r = table_register(&watcher, text.text, text.length, &why);
    if (r < 0)
        print_error("%s\n", why.text ? why.text : strerror(-r));
    assert_int_equal(r, 0);
    reports = 0;
    last_reason[0] = '\0';
}

static int begin(void **state)
{
    (void)state;
    reports = 0;
    report_answer = 0;
    device_answer = -1;
    watcher.loop = qb_loop_create();
    (void)file_make_directory(WATCH_FOLDER, 0750);
    return table_open(&watcher);
}

static int end(void **state)
{
    (void)state;
    (void)table_withdraw(&watcher, "thing");
    /* What the sources had is freed by a job of low priority: a run that stood still until its end does none. */
    for (int i = 0; i < 10; i++)
        run_for(5);
    table_close(&watcher);
    qb_loop_destroy(watcher.loop);
    for (int i = 0; i < 100 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
        (void)deadline_sleep(DEADLINE_NEVER, 10);
    return 0;
}

static pid_t start_sleeper(char *line, size_t size)
{
    struct process_identity identity;
    pid_t pid = fork();

    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_int_equal(process_identify(pid, &identity), 0);
    (void)text_format(line, size, "process thing\tpid=%d\tstart=%llu", (int)pid, (unsigned long long)identity.start_ticks);
    return pid;
}

/* ---- processes, and what all sources share ------------------------------------------------------------------------------------------ */

static void test_process(void **state)
{
    char line[128];
    pid_t pid = start_sleeper(line, sizeof(line));

    (void)state;
    register_item(line);
    run_for(50);
    assert_int_equal(reports, 0);
    (void)kill(pid, SIGKILL);
    await_reports(1);
    assert_non_null(strstr(last_reason, "has ended"));
    run_for(100);
    assert_int_equal(reports, 1);
    (void)waitpid(pid, NULL, 0);
}

static void test_process_that_had_ended(void **state)
{
    (void)state;
    register_item("process thing\tpid=1\tstart=99999999999");
    reports = 0;
    /* The report goes out within the registration. */
    AWAIT(watcher.watches[0]->reports == 1);
    run_for(50);
    assert_int_equal(reports, 0);
}

/* What a stop ends was withdrawn before. */
static void test_withdrawn_first(void **state)
{
    char line[128];
    pid_t pid = start_sleeper(line, sizeof(line));

    (void)state;
    register_item(line);
    assert_int_equal(unlink(WATCH_FOLDER "/thing"), 0);
    (void)kill(pid, SIGKILL);
    AWAIT(watcher.watches[0]->state == WATCH_WITHDRAWN);
    run_for(100);
    assert_int_equal(reports, 0);
    (void)waitpid(pid, NULL, 0);
}

static void test_taken_up_again(void **state)
{
    char line[128];
    pid_t pid = start_sleeper(line, sizeof(line));

    (void)state;
    register_item(line);
    table_close(&watcher);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    assert_int_equal(table_open(&watcher), 0);
    await_reports(1);
}

static void test_answers(void **state)
{
    static const int busy[] = { -EINPROGRESS, -ENOTCONN };
    char line[128];

    (void)state;
    for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
        pid_t pid = start_sleeper(line, sizeof(line));

        register_item(line);
        report_answer = busy[i];
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        AWAIT(reports >= 2);
        report_answer = 0; /* the last one's answer may still be to come */
        AWAIT(watcher.watches[0]->state == WATCH_REPORTED);
        assert_int_equal(watcher.watches[0]->reports, i + 1);
    }
    {
        pid_t pid = start_sleeper(line, sizeof(line));

        register_item(line);
        report_answer = -EALREADY;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        await_reports(1);
        run_for(200);
        assert_int_equal(reports, 1);
    }
}

static void test_cgroup(void **state)
{
    char line[PATH_MAX + 32];

    (void)state;
    write_text("cgroup.events", "populated 1\nfrozen 0\n");
    (void)text_format(line, sizeof(line), "cgroup %s", folder);
    register_item(line);
    write_text("cgroup.events", "populated 1\nfrozen 1\n");
    run_for(100);
    assert_int_equal(reports, 0);
    write_text("cgroup.events", "populated 0\nfrozen 0\n");
    await_reports(1);
}

/* ---- the network ------------------------------------------------------------------------------------------------------------------------ */

static void set_loopback(bool up)
{
    struct ifreq request = { .ifr_flags = (short)(up ? IFF_UP : 0) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)text_copy(request.ifr_name, sizeof(request.ifr_name), "lo");
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    (void)close(fd);
}

static int open_listener(unsigned int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void test_listener(void **state)
{
    unsigned int port;
    int fd = open_listener(&port);
    char line[64];

    (void)state;
    (void)text_format(line, sizeof(line), "listener 127.0.0.1\tport=%u", port);
    register_item(line);
    run_for(1200);
    assert_int_equal(reports, 0);
    (void)close(fd);
    await_reports(1);
    assert_non_null(strstr(last_reason, "nothing listens"));
}

static void change_address(bool there)
{
    _cleanup_netlink_ struct netlink netlink = NETLINK_CLOSED;
    struct interface_address address = { .prefix = 32, .index = 1, .preferred_s = LIFETIME_FOREVER, .valid_s = LIFETIME_FOREVER };

    assert_int_equal(ip_address_parse("192.0.2.77", &address.ip), 0);
    assert_int_equal(netlink_open(&netlink, NETLINK_ROUTE, 0), 0);
    assert_int_equal(there ? address_add(&netlink, &address, deadline_in(20000)) : address_remove(&netlink, &address, deadline_in(20000)), 0);
}

static void test_address(void **state)
{
    (void)state;
    change_address(true);
    register_item("address 192.0.2.77\tindex=1");
    /* Gone and back before anybody looks. */
    change_address(false);
    change_address(true);
    run_for(200);
    assert_int_equal(reports, 0);
    change_address(false);
    await_reports(1);
    assert_non_null(strstr(last_reason, "192.0.2.77 is gone"));
}

/* An ARP packet on the link by which a host says that it has 192.0.2.77; its hardware address ends with LAST. */
static void claim_address(uint8_t last)
{
    const struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = 1, .sll_halen = ETH_ALEN };
    struct ether_arp packet = {
        .ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER), .ar_pro = htons(ETH_P_IP), .ar_hln = ETH_ALEN, .ar_pln = 4, .ar_op = htons(ARPOP_REQUEST) },
        .arp_sha = { [5] = last }, .arp_spa = { 192, 0, 2, 77 }, .arp_tpa = { 192, 0, 2, 77 },
    };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    packet.arp_sha[0] = last ? 2 : 0; /* this host's: the loopback link's, all zeros */
    assert_int_equal(sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)), sizeof(packet));
    (void)close(fd);
}

/* Said when a host claims it twice, never for a claim of our own; no failure: to stop here is not what ends it. */
static void test_duplicate_address(void **state)
{
    struct deadline deadline = deadline_in(20000);

    (void)state;
    change_address(true);
    register_item("address 192.0.2.77\tindex=1");
    duplicates = 0;
    for (int i = 0; i < 3; i++) {
        claim_address(0);
        run_for(50);
    }
    claim_address(7);
    run_for(100);
    assert_int_equal(duplicates, 0);
    /* Each counts within ten seconds of the one before: once more where this machine stood still for longer. */
    while (duplicates == 0 && !deadline_passed(deadline)) {
        claim_address(7);
        run_for(20);
    }
    assert_int_equal(duplicates, 1);
    assert_int_equal(reports, 0);
    (void)table_withdraw(&watcher, "thing");
    change_address(false);
}

/* Down, and up again before the second look: tried again where this machine stood still until that. */
static void flap(void)
{
    struct watch *watch = watcher.watches[0];
    bool in_time = false;

    for (int tries = 0; tries < 20 && !in_time; tries++) {
        set_loopback(false);
        AWAIT(watch->sources[0].state == SOURCE_SUSPECT || watch->sources[0].state == SOURCE_FAILED);
        in_time = watch->sources[0].state == SOURCE_SUSPECT;
        set_loopback(true);
        AWAIT(watch->sources[0].state == SOURCE_WELL);
        if (!in_time) {
            AWAIT(watch->state == WATCH_WATCHED);
            watch->hold_until_ms = 0;
            reports = 0;
        }
    }
    assert_true(in_time);
}

static void test_link(void **state)
{
    (void)state;
    register_item("link lo\tindex=1");
    flap();
    run_for(500);
    assert_int_equal(reports, 0);
    set_loopback(false);
    await_reports(1);
    assert_non_null(strstr(last_reason, "can carry no packets"));
    set_loopback(true);
}

/* Well again before Pacemaker has answered: the next failure is a new one. */
static void test_well_before_the_answer(void **state)
{
    struct watch *watch;

    (void)state;
    register_item("link lo\tindex=1");
    watch = watcher.watches[0];
    answer_later = true;
    set_loopback(false);
    await_reports(1);
    set_loopback(true);
    AWAIT(watch->sources[0].state == SOURCE_WELL);
    answer_later = false;
    assert_int_equal(watch->state, WATCH_REPORTING);
    answer_report((void *)(uintptr_t)watch->report_id);
    assert_int_equal(watch->state, WATCH_WATCHED);
    assert_int_equal(watch->reports, 1);
}

/* A link that flaps reports once, and is held back then. */
static void test_back_off(void **state)
{
    (void)state;
    register_item("link lo\tindex=1");
    for (int i = 0; i < 4; i++) {
        set_loopback(false);
        AWAIT(watcher.watches[0]->sources[0].state == SOURCE_FAILED);
        set_loopback(true);
        AWAIT(watcher.watches[0]->state == WATCH_WATCHED);
        if (i == 0) /* held back for long enough to see that it is, however slow this machine is */
            watcher.watches[0]->hold_until_ms += 60000;
    }
    assert_int_equal(reports, 1);
}

/* The next report of what flaps waits twice as long each time, from ten seconds to ten minutes. */
static void test_back_off_doubles(void **state)
{
    static const uint64_t seconds[] = { 10, 20, 40, 80, 160, 320, 600, 600 };

    (void)state;
    register_item("link lo\tindex=1");
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct watch *watch = watcher.watches[0];
        uint64_t before_ms = deadline_now_ms();

        watch->hold_until_ms = before_ms; /* the last one is over */
        watch_report(watch, &watch->sources[0], "flaps");
        AWAIT(watch->reports == i + 1 && watch->state == WATCH_WATCHED);
        assert_int_equal(watch->hold_ms, seconds[i] * 1000);
        assert_in_range(watch->hold_until_ms, before_ms + watch->hold_ms, deadline_now_ms() + watch->hold_ms);
    }
    assert_int_equal(reports, 8);
}

/* Two sources of one watch. */
static struct watch *register_address_and_link(void)
{
    change_address(true);
    register_item("address 192.0.2.77\tindex=1\nlink lo\tindex=1");
    return watcher.watches[0];
}

/* An address that is gone is a fact: it does not wait until a link that flaps may be reported again. */
static void test_fact_behind_what_is_held_back(void **state)
{
    struct watch *watch = register_address_and_link();

    (void)state;
    set_loopback(false);
    await_reports(1);
    set_loopback(true);
    AWAIT(watch->state == WATCH_WATCHED);
    watch->hold_until_ms += 600000;
    set_loopback(false);
    AWAIT(watch->state == WATCH_HELD);
    change_address(false);
    await_reports(2);
    assert_non_null(strstr(last_reason, "192.0.2.77 is gone"));
    assert_false(watch->culprit->kind->soft);
}

/* Pacemaker takes no report of the link; when that is well again, the address that went meanwhile is what is left to say. */
static void test_fact_behind_what_was_not_taken(void **state)
{
    struct watch *watch = register_address_and_link();

    (void)state;
    report_answer = -EINPROGRESS;
    set_loopback(false);
    AWAIT(reports >= 2);
    change_address(false);
    AWAIT(watch->sources[0].state == SOURCE_FAILED && watch->sources[1].state == SOURCE_FAILED);
    set_loopback(true);
    AWAIT(watch->sources[0].state == SOURCE_WELL || watch->sources[1].state == SOURCE_WELL);
    report_answer = 0;
    AWAIT(watch->state == WATCH_REPORTED);
    assert_non_null(strstr(last_reason, "192.0.2.77 is gone"));
}

/* ---- mounts and devices --------------------------------------------------------------------------------------------------------------------- */

static void test_mount(void **state)
{
    char line[PATH_MAX + 64], path[PATH_MAX + 8];
    struct stat status;

    (void)state;
    (void)text_format(path, sizeof(path), "%s/mount", folder);
    (void)mkdir(path, 0755);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(mount("none", path, "tmpfs", 0, "size=64k"), 0);
        assert_int_equal(stat(path, &status), 0);
        (void)text_format(line, sizeof(line), "mount %s\tdevice=%llu\twritable=1", path, (unsigned long long)status.st_dev);
        register_item(line);
        run_for(100);
        assert_int_equal(reports, 0);
        if (round == 0)
            assert_int_equal(umount2(path, MNT_DETACH), 0);
        else
            assert_int_equal(mount("none", path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        await_reports(1);
        assert_non_null(strstr(last_reason, round == 0 ? "not mounted any more" : "read-only"));
        watcher.watches[0]->hold_until_ms = 0;
    }
    (void)umount2(path, MNT_DETACH);
}

static void test_device(void **state)
{
    (void)state;
    register_item("device /dev/none\tdevice=1048575999");
    AWAIT(watcher.watches[0]->reports == 1);
    assert_non_null(strstr(watcher.watches[0]->last_failure, "is gone"));
}

/* As the kernel's: a head, then texts, each with its end. */
static void send_uevent(const char *words)
{
    char bytes[256];
    int length = text_format(bytes, sizeof(bytes), "change@/devices/virtual/block/dm-5|ACTION=change|SUBSYSTEM=block|MAJOR=253|MINOR=5|%s", words);

    assert_true(length > 0);
    for (char *p = bytes; *p; p++)
        if (*p == '|')
            *p = '\0';
    assert_int_equal(send(kernel_end, bytes, (size_t)length + 1, 0), length + 1);
}

static void register_map(void)
{
    char line[96];

    device_answer = 1;
    (void)text_format(line, sizeof(line), "device /dev/mapper/shared\tdevice=%llu", (unsigned long long)makedev(253, 5));
    register_item(line);
}

static void test_paths(void **state)
{
    (void)state;
    register_map();
    send_uevent("DM_ACTION=PATH_FAILED|DM_PATH=8:16|DM_NR_VALID_PATHS=1");
    run_for(100);
    assert_int_equal(reports, 0); /* one is left */
    send_uevent("DM_ACTION=PATH_FAILED|DM_PATH=8:32|DM_NR_VALID_PATHS=0");
    await_reports(1);
    assert_non_null(strstr(last_reason, "no path left"));
    send_uevent("DM_ACTION=PATH_REINSTATED|DM_PATH=8:32|DM_NR_VALID_PATHS=1");
    AWAIT(watcher.watches[0]->state == WATCH_WATCHED);
    device_answer = 0;
    send_uevent("DEVNAME=dm-5");
    await_reports(2);
    assert_non_null(strstr(last_reason, "is gone"));
}

/* Of another device, rubbish, and nothing at all. */
static void test_other_uevents(void **state)
{
    static const char other[] = "remove@/devices/x\0ACTION=remove\0MAJOR=253\0MINOR=6";

    (void)state;
    register_map();
    device_answer = 0;
    assert_int_equal(send(kernel_end, other, sizeof(other), 0), sizeof(other));
    assert_int_equal(send(kernel_end, "x", 1, 0), 1);
    assert_int_equal(send(kernel_end, "", 0, 0), 0);
    run_for(100);
    assert_int_equal(reports, 0);
}

static void test_latency_of_what_is_no_device(void **state)
{
    (void)state;
    write_text("device", "a file");
    register_item("latency /dev/x\tdevice=2049\tinterval=100\tdeadline=20000");
    run_for(600);
    assert_int_equal(reports, 0); /* can't be told */
}

static void test_reservation(void **state)
{
    (void)state;
    replace_text("reservation", "7\n");
    register_item("reservation 8:1\tdevice=2049\tkey=7\tinterval=100\tdeadline=20000");
    run_for(300);
    replace_text("reservation", "E\n");
    run_for(400);
    assert_int_equal(reports, 0); /* a lost path says nothing */
    replace_text("reservation", "8\n");
    await_reports(1);
    assert_non_null(strstr(last_reason, "registration"));
}

/* ---- workers ------------------------------------------------------------------------------------------------------------------------------------ */

static int told, told_timeouts;

/* Hangs while the file "hang" is there. */
static int hanging_turn(void *turn_state, uint64_t limit_ms, char *reason, size_t size)
{
    char path[PATH_MAX + 8];

    (void)turn_state, (void)limit_ms, (void)reason, (void)size;
    (void)text_format(path, sizeof(path), "%s/hang", folder);
    while (access(path, F_OK) == 0)
        (void)deadline_sleep(DEADLINE_NEVER, 5);
    return 0;
}

static void on_turn(struct watch_source *source, int result, const char *reason)
{
    (void)source, (void)reason;
    told++;
    told_timeouts += result == -ETIMEDOUT;
}

static void end_worker(struct watch_source *source)
{
    worker_close(source);
    for (int i = 0; i < 50; i++) {
        (void)deadline_sleep(DEADLINE_NEVER, 10);
        workers_reap();
    }
}

static void test_worker_that_hangs(void **state)
{
    struct watch watch = { .watcher = &watcher, .resource = folder };
    struct watch_source source = { .watch = &watch, .fd = -1 };
    const struct worker_spec spec = { .name = "thing", .turn = hanging_turn, .state = "", .state_size = 1, .interval_ms = 10, .deadline_ms = 3000 };
    char path[PATH_MAX + 8];

    (void)state;
    (void)text_format(path, sizeof(path), "%s/hang", folder);
    told = told_timeouts = 0;
    assert_int_equal(worker_open(&source, &spec, on_turn), 0);
    AWAIT(told > 3);
    assert_int_equal(told_timeouts, 0);
    assert_int_equal(worker_open(&source, &spec, on_turn), -EBUSY);
    write_text("hang", "");
    AWAIT(told_timeouts > 0);
    assert_int_equal(told_timeouts, 1); /* the next word of it is seconds away */
    (void)unlink(path);
    told = 0;
    AWAIT(told > 3);
    end_worker(&source);
}

/* All of the node stood still: nobody had time to answer. */
static void test_worker_when_time_jumps(void **state)
{
    struct watch watch = { .watcher = &watcher };
    struct watch_source source = { .watch = &watch };
    const struct worker_spec spec = { .name = "jump", .turn = hanging_turn, .state = "", .state_size = 1, .interval_ms = 10, .deadline_ms = 3000 };
    char path[64], line[32] = "";
    pid_t pid;

    (void)state;
    told = told_timeouts = 0;
    assert_int_equal(worker_open(&source, &spec, on_turn), 0);
    AWAIT(told > 0);
    (void)text_format(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    assert_true(file_read_line(path, line, sizeof(line)) > 0);
    pid = (pid_t)strtol(line, NULL, 10);
    assert_true(pid > 1);
    (void)kill(pid, SIGSTOP);
    run_for(20); /* the turn is under way */
    (void)deadline_sleep(DEADLINE_NEVER, 5000);
    run_for(20);
    (void)kill(pid, SIGCONT);
    told = 0;
    AWAIT(told > 1);
    assert_int_equal(told_timeouts, 0);
    end_worker(&source);
}

static int number_turn(void *state, uint64_t limit_ms, char *reason, size_t size)
{
    int number;

    (void)limit_ms, (void)reason, (void)size;
    memcpy(&number, state, sizeof(number));
    return -number;
}

static void on_number(struct watch_source *source, int result, const char *reason)
{
    (void)source, (void)reason;
    told = (unsigned int)-result;
}

/* Registered anew while the process of the registration before has not ended yet. */
static void test_worker_that_is_renewed(void **state)
{
    struct watch watch = { .watcher = &watcher };
    struct watch_source source = { .watch = &watch };
    int number = 0;
    const struct worker_spec spec = { .name = "number", .turn = number_turn, .state = &number, .state_size = sizeof(number),
                                       .interval_ms = 10, .deadline_ms = 20000 };

    (void)state;
    for (number = 1; number <= 5; number++) {
        told = 0;
        assert_int_equal(worker_open(&source, &spec, on_number), 0);
        AWAIT(told != 0);
        assert_int_equal(told, number);
        worker_close(&source);
    }
    end_worker(&source);
}

/* ---- probes -------------------------------------------------------------------------------------------------------------------------------------- */

static pid_t start_server(unsigned int *port)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int fd = open_listener(port);
    pid_t pid = fork();

    while (pid == 0) {
        char request[512];
        int client = accept(fd, NULL, NULL);

        while (recv(client, request, sizeof(request), 0) > 0)
            (void)send(client, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        (void)close(client);
    }
    (void)close(fd);
    return pid;
}

static void test_probe(void **state)
{
    unsigned int port;
    pid_t pid = start_server(&port);
    char line[128];

    (void)state;
    (void)text_format(line, sizeof(line), "probe http://127.0.0.1:%u/\tinterval=100\tdeadline=400\tfailures=10", port);
    register_item(line);
    run_for(500);
    assert_int_equal(reports, 0);
    (void)kill(pid, SIGSTOP);
    AWAIT(watcher.watches[0]->sources[0].tries > 0);
    (void)kill(pid, SIGCONT);
    AWAIT(watcher.watches[0]->sources[0].tries == 0);
    assert_int_equal(reports, 0); /* below the threshold */
    (void)kill(pid, SIGSTOP);
    await_reports(1);
    assert_non_null(strstr(last_reason, "no answer within"));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------------------------------------- */

static void test_hostile_registrations(void **state)
{
    static const char *const lines[] = {
        "address nonsense\tindex=1", "listener x\tport=0", "probe ftp://x/", "probe exec:true", "address 192.0.2.1\tindex=1\nlistener *\tport=70000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        _cleanup_text_buffer_ struct text_buffer text = { 0 }, why = { 0 };

        text_buffer_printf(&text, "vigil-watch 1\nresource thing\tagent=app\n%s\n", lines[i]);
        assert_true(table_register(&watcher, text.text, text.length, &why) < 0);
        assert_non_null(why.text);
        assert_int_equal(access(WATCH_FOLDER "/thing", F_OK), -1);
    }
}

/* What was registered anew, with the same words, is told from what has failed before it. */
static void test_stamps(void **state)
{
    uint64_t first, second;

    (void)state;
    register_item("link lo\tindex=1");
    assert_int_equal(watch_registration_stamp("thing", &first), 0);
    assert_int_equal(watch_registration_stamp("thing", &second), 0);
    assert_true(first == second);
    register_item("link lo\tindex=1");
    assert_int_equal(watch_registration_stamp("thing", &second), 0);
    assert_true(first != second);
    assert_int_equal(table_withdraw(&watcher, "thing"), 0);
    assert_int_equal(watch_registration_stamp("thing", &second), -ENOENT);
}

/* A report that was behind a call that hung is of what was then, not of what runs now. */
static void test_request_that_waited(void **state)
{
    const struct cluster_request request = { .sent_ms = 5000 };

    (void)state;
    assert_false(cluster_request_is_stale(&request, 5000));
    assert_false(cluster_request_is_stale(&request, 5000 + CLUSTER_REQUEST_FRESH_MS));
    assert_true(cluster_request_is_stale(&request, 5001 + CLUSTER_REQUEST_FRESH_MS));
}

static int prepare(void **state)
{
    char *path = unit_make_folder();

    (void)state;
    (void)text_format(folder, sizeof(folder), "%s", path);
    free(path);
    if (unit_private_folders("/run/vigil", "/var/lib/vigil") < 0 || unshare(CLONE_NEWNET) < 0)
        return -1;
    set_loopback(true);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    unit_remove_folder(strdup(folder));
    return 0;
}

#define SOURCE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE_TEST(test_process),
        SOURCE_TEST(test_process_that_had_ended),
        SOURCE_TEST(test_withdrawn_first),
        SOURCE_TEST(test_taken_up_again),
        SOURCE_TEST(test_answers),
        SOURCE_TEST(test_cgroup),
        SOURCE_TEST(test_listener),
        SOURCE_TEST(test_address),
        SOURCE_TEST(test_duplicate_address),
        SOURCE_TEST(test_link),
        SOURCE_TEST(test_well_before_the_answer),
        SOURCE_TEST(test_back_off),
        SOURCE_TEST(test_back_off_doubles),
        SOURCE_TEST(test_fact_behind_what_is_held_back),
        SOURCE_TEST(test_fact_behind_what_was_not_taken),
        SOURCE_TEST(test_mount),
        SOURCE_TEST(test_device),
        SOURCE_TEST(test_paths),
        SOURCE_TEST(test_other_uevents),
        SOURCE_TEST(test_latency_of_what_is_no_device),
        SOURCE_TEST(test_reservation),
        SOURCE_TEST(test_worker_that_hangs),
        SOURCE_TEST(test_worker_when_time_jumps),
        SOURCE_TEST(test_worker_that_is_renewed),
        SOURCE_TEST(test_stamps),
        cmocka_unit_test(test_request_that_waited),
        SOURCE_TEST(test_probe),
        SOURCE_TEST(test_hostile_registrations),
    };

    return cmocka_run_group_tests(tests, prepare, tidy);
}
