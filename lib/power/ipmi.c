/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power/ipmi.h"

#include <freeipmi/freeipmi.h>
#include <string.h>

#include "power/interrupt.h"
#include "power/ipmi_reason.h"

/* Between two tries: long enough for a controller to do something else, short enough not to matter to a takeover. */
#define PAUSE_MS 200
/* Logging out frees one of the controller's few sessions; it is not worth more than this. */
#define CLOSE_MS 500
/* What libfreeipmi demands of its two time-outs. */
#define SHORTEST_MS 100

struct ipmi_session {
    struct power_session base;
    struct power_login login;
    struct power_endpoint endpoint;
    ipmi_ctx_t context;   /* NULL while there is no session */
    uint64_t answered_ms; /* the last answer, on CLOCK_MONOTONIC */
    uint64_t timeout_ms;  /* what the context was opened with */
    int suite;            /* the cipher suite that worked */
    char address[80];
};

/* A failed call: libfreeipmi's error, and what the controller said. */
struct ipmi_failure {
    int error;
    int system_error;
    int completion; /* its completion code, or -1 */
    bool out_of_time; /* the monotonic deadline came */
};

/* ---- talking to libfreeipmi --------------------------------------------------------------------------------------- */

/* A call that our own timer cut short has nothing to say: what was seen before it stands. */
static void note_failure(ipmi_ctx_t context, bool out_of_time, struct ipmi_failure *ret)
{
    int system_error = errno;

    if (out_of_time && ret->error != IPMI_ERR_SUCCESS)
        return;
    ret->system_error = system_error;
    ret->error = ipmi_ctx_errnum(context);
    ret->completion = -1;
    ret->out_of_time = out_of_time;
}

/* The sentence for a failed call. Returns its errno. */
static int explain(const struct ipmi_failure *failure, struct text_buffer *why)
{
    const struct ipmi_reason *reason = ipmi_reason_find(failure->error);

    if (failure->out_of_time && reason->code != -ETIMEDOUT)
        reason = ipmi_reason_find(IPMI_ERR_SESSION_TIMEOUT);
    if (failure->error == IPMI_ERR_SYSTEM_ERROR) {
        text_buffer_printf(why, "%s: check the route to the controller", strerror(failure->system_error));
        return failure->system_error > 0 ? -failure->system_error : -EIO;
    }
    text_buffer_printf(why, "%s", reason->cause);
    if (failure->error == IPMI_ERR_INTERNAL_ERROR && !failure->out_of_time && failure->system_error > 0)
        text_buffer_printf(why, " (%s)", strerror(failure->system_error));
    if (failure->completion >= 0)
        text_buffer_printf(why, " (completion code 0x%02x, %s)", (unsigned int)failure->completion,
                           ipmi_completion_text((unsigned int)failure->completion));
    text_buffer_printf(why, ": %s", reason->remedy);
    return reason->code;
}

/* Whether to try again after a failure, and the pause before it. */
static bool try_again(const struct ipmi_failure *failure, struct deadline deadline)
{
    return (failure->out_of_time || ipmi_reason_find(failure->error)->transient) &&
           deadline_sleep(deadline, PAUSE_MS) == 0 && deadline_left_ms(deadline) > 2 * SHORTEST_MS;
}

static void close_context(struct ipmi_session *session)
{
    if (!session->context)
        return;
    (void)interrupt_begin(deadline_in(CLOSE_MS));
    (void)ipmi_ctx_close(session->context);
    (void)interrupt_end();
    ipmi_ctx_destroy(session->context);
    session->context = NULL;
}

static const uint8_t privilege_levels[] = {
    [POWER_PRIVILEGE_USER] = IPMI_PRIVILEGE_LEVEL_USER,
    [POWER_PRIVILEGE_OPERATOR] = IPMI_PRIVILEGE_LEVEL_OPERATOR,
    [POWER_PRIVILEGE_ADMINISTRATOR] = IPMI_PRIVILEGE_LEVEL_ADMIN,
};

/* Commands may be for another controller behind this one (IPMB bridging). */
static int set_target(ipmi_ctx_t context, int target)
{
    uint8_t address = (uint8_t)target;

    return target == POWER_TARGET_SELF ? 0 : ipmi_ctx_set_target(context, NULL, &address);
}

/* One log-in to one address with one cipher suite. libfreeipmi's time-out is for each answer, the deadline for all of it; since
 * libfreeipmi looks at the clock only between its growing intervals, it gets two fifths of the time that is left. */
static int open_context(struct ipmi_session *session, const char *address, int suite, struct deadline deadline,
                        struct ipmi_failure *failure)
{
    const struct power_login *login = &session->login;
    uint64_t share = deadline_left_ms(deadline_share(deadline, 40));
    uint64_t bound = share < login->login_ms ? share : login->login_ms;
    unsigned int timeout = (unsigned int)(bound < SHORTEST_MS ? SHORTEST_MS : bound);
    unsigned int resend = (unsigned int)(login->resend_ms < timeout ? login->resend_ms : timeout - 1);
    ipmi_ctx_t context = ipmi_ctx_create();
    bool out_of_time;
    int r;

    if (!context) {
        *failure = (struct ipmi_failure){ .error = IPMI_ERR_OUT_OF_MEMORY, .completion = -1 };
        return -1;
    }
    (void)interrupt_begin(deadline);
    errno = 0;
    r = ipmi_ctx_open_outofband_2_0(context, address, login->username, login->password, login->k_g,
                                    login->k_g ? POWER_K_G_LENGTH : 0, privilege_levels[login->privilege], (uint8_t)suite,
                                    timeout, resend, login->workarounds, IPMI_FLAGS_DEFAULT);
    if (r == 0)
        r = set_target(context, login->target);
    out_of_time = interrupt_end();
    if (r < 0) {
        note_failure(context, out_of_time, failure);
        ipmi_ctx_destroy(context);
        return -1;
    }
    session->context = context;
    session->answered_ms = deadline_now_ms();
    session->timeout_ms = timeout;
    session->suite = suite;
    (void)text_copy(session->address, sizeof(session->address), address);
    return 0;
}

/* A controller that lacks a suite says so in one of several ways, or drops the request. */
static bool may_lack_suite(const struct ipmi_failure *failure)
{
    return failure->error == IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE || failure->error == IPMI_ERR_BAD_RMCPPLUS_STATUS_CODE ||
           failure->error == IPMI_ERR_IPMI_ERROR || failure->error == IPMI_ERR_PARAMETERS ||
           failure->error == IPMI_ERR_SESSION_TIMEOUT;
}

/* One log-in to one address, with the suite that is asked for or with the best of 17 (SHA-256) and 3 (SHA-1). */
static int open_address(struct ipmi_session *session, const char *address, struct deadline deadline,
                        struct ipmi_failure *failure)
{
    int suite = session->login.cipher_suite != POWER_CIPHER_BEST ? session->login.cipher_suite : session->suite;

    if (suite != POWER_CIPHER_BEST)
        return open_context(session, address, suite, deadline, failure);
    if (open_context(session, address, 17, deadline, failure) == 0)
        return 0;
    if (!may_lack_suite(failure))
        return -1;
    return open_context(session, address, 3, deadline, failure);
}

/* All addresses of the controller in turn, again and again until the deadline where that may help. */
static int open_session(struct ipmi_session *session, struct deadline deadline, struct text_buffer *why)
{
    struct endpoint_address addresses[ENDPOINT_ADDRESSES_MAX];
    struct ipmi_failure failure = { .completion = -1 };
    int count = endpoint_resolve(&session->endpoint, deadline, addresses);

    if (count < 0) {
        text_buffer_printf(why, "%s: check the name, or give an address",
                           count == -ETIMEDOUT ? "timed out: no name server answers" :
                           count == -ENOENT    ? "this host name has no address" :
                                                 strerror(-count));
        return count;
    }
    do {
        for (int i = 0; i < count; i++) {
            struct deadline share = deadline_share(deadline, 100u / (unsigned int)(count - i));

            if (open_address(session, addresses[i].text, share, &failure) == 0)
                return 0;
        }
    } while (try_again(&failure, deadline));
    return explain(&failure, why);
}

/* ---- chassis commands --------------------------------------------------------------------------------------------- */

/* Sends a command and reads its answer into an object of that template, which the caller destroys. */
typedef int (*ipmi_request)(struct ipmi_session *session, enum power_command command, fiid_obj_t answer);

static int request_status(struct ipmi_session *session, enum power_command command _unused_, fiid_obj_t answer)
{
    return ipmi_cmd_get_chassis_status(session->context, answer);
}

static int request_control(struct ipmi_session *session, enum power_command command, fiid_obj_t answer)
{
    static const uint8_t codes[] = {
        [POWER_COMMAND_OFF] = IPMI_CHASSIS_CONTROL_POWER_DOWN,
        [POWER_COMMAND_ON] = IPMI_CHASSIS_CONTROL_POWER_UP,
        [POWER_COMMAND_CYCLE] = IPMI_CHASSIS_CONTROL_POWER_CYCLE,
        [POWER_COMMAND_DIAG] = IPMI_CHASSIS_CONTROL_PULSE_DIAGNOSTIC_INTERRUPT,
    };

    return ipmi_cmd_chassis_control(session->context, codes[command], answer);
}

/* One try of a command within one session. */
static int try_request(struct ipmi_session *session, ipmi_request request, enum power_command command,
                       fiid_obj_t answer, struct deadline deadline, struct ipmi_failure *failure)
{
    bool out_of_time;
    uint64_t value;
    int r;

    (void)fiid_obj_clear(answer);
    (void)interrupt_begin(deadline_within(deadline, session->login.answer_ms));
    errno = 0;
    r = request(session, command, answer);
    out_of_time = interrupt_end();
    if (r == 0) {
        session->answered_ms = deadline_now_ms();
        return 0;
    }
    note_failure(session->context, out_of_time, failure);
    if (ipmi_reason_find(failure->error)->code != -ETIMEDOUT && !out_of_time &&
        FIID_OBJ_GET(answer, "comp_code", &value) == 1)
        failure->completion = (int)value;
    return -1;
}

/* libfreeipmi's session time-out counts from the last answer: after a long pause the first request would time out at once. */
static bool is_stale(const struct ipmi_session *session)
{
    return deadline_now_ms() - session->answered_ms > session->timeout_ms / 2;
}

/* Makes sure of a session that can be used. */
static int refresh_session(struct ipmi_session *session, struct deadline deadline, struct text_buffer *why)
{
    if (session->context && !is_stale(session))
        return 0;
    close_context(session);
    return open_session(session, deadline, why);
}

/* What may be asked again when the answer was lost. */
static bool is_repeatable(ipmi_request request, enum power_command command)
{
    return request == request_status || command == POWER_COMMAND_OFF || command == POWER_COMMAND_ON;
}

/* Sends a command until it is answered with success. A session without an answer is given up: a controller that has restarted its
 * network, as some do with the power, has forgotten it. */
static int send_request(struct ipmi_session *session, ipmi_request request, enum power_command command,
                        fiid_obj_t answer, struct deadline deadline, struct text_buffer *why)
{
    struct ipmi_failure failure = { .completion = -1 };

    do {
        int r = refresh_session(session, deadline, why);

        if (r < 0)
            return r;
        if (try_request(session, request, command, answer, deadline, &failure) == 0)
            return 0;
        if (failure.completion < 0)
            close_context(session);
    } while (is_repeatable(request, command) && try_again(&failure, deadline));
    return explain(&failure, why);
}

enum power_state ipmi_chassis_power(uint8_t current_power_state)
{
    bool on = current_power_state & 0x01;
    bool control_fault = current_power_state & 0x10;

    if (on)
        return POWER_ON;
    return control_fault ? POWER_UNKNOWN : POWER_OFF;
}

/* The status byte, put together again from libfreeipmi's fields. Returns 0 or -EBADMSG. */
static int take_power_byte(fiid_obj_t answer, uint8_t *ret)
{
    static const char *const bits[] = { "current_power_state.power_is_on", "current_power_state.power_overload",
                                        "current_power_state.interlock", "current_power_state.power_fault",
                                        "current_power_state.power_control_fault" };
    uint8_t byte = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
        uint64_t value;

        if (FIID_OBJ_GET(answer, bits[i], &value) != 1)
            return -EBADMSG;
        byte |= (uint8_t)((value & 1) << i);
    }
    *ret = byte;
    return 0;
}

static void write_evidence(const struct ipmi_session *session, uint8_t byte, struct power_reading *reading)
{
    (void)text_format(reading->evidence, sizeof(reading->evidence), "chassis status of BMC %s: power bits 0x%02x (%s%s%s%s%s)",
                      session->address, byte, byte & 0x01 ? "on" : "off", byte & 0x02 ? ", overload" : "",
                      byte & 0x04 ? ", interlock" : "", byte & 0x08 ? ", power fault" : "",
                      byte & 0x10 ? ", power control fault" : "");
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static void ipmi_close(struct power_session *base)
{
    struct ipmi_session *session = (struct ipmi_session *)base;

    if (!session)
        return;
    close_context(session);
    free(session);
}

static int ipmi_open(const struct power_endpoint *endpoint, const struct power_login *login, struct deadline deadline,
                     struct text_buffer *why, struct power_session **ret)
{
    struct ipmi_session *session = calloc(1, sizeof(*session));
    int r;

    if (!session)
        return -ENOMEM;
    session->base.protocol = &power_protocol_ipmi;
    session->endpoint = *endpoint;
    session->login = *login;
    session->suite = POWER_CIPHER_BEST;
    r = open_session(session, deadline, why);
    if (r < 0) {
        ipmi_close(&session->base);
        return r;
    }
    *ret = &session->base;
    return 0;
}

static int ipmi_read(struct power_session *base, struct deadline deadline, struct text_buffer *why,
                     struct power_reading *ret)
{
    struct ipmi_session *session = (struct ipmi_session *)base;
    fiid_obj_t answer = fiid_obj_create(tmpl_cmd_get_chassis_status_rs);
    uint8_t byte = 0;
    int r;

    if (!answer)
        return -ENOMEM;
    r = send_request(session, request_status, POWER_COMMAND_OFF, answer, deadline, why);
    if (r == 0) {
        r = take_power_byte(answer, &byte);
        if (r < 0)
            text_buffer_printf(why, "the chassis status is too short: update the controller's firmware");
    }
    fiid_obj_destroy(answer);
    if (r < 0)
        return r;
    ret->state = ipmi_chassis_power(byte);
    write_evidence(session, byte, ret);
    return 0;
}

static int ipmi_command(struct power_session *base, enum power_command command, struct deadline deadline,
                        struct text_buffer *why)
{
    fiid_obj_t answer = fiid_obj_create(tmpl_cmd_chassis_control_rs);
    int r;

    if (!answer)
        return -ENOMEM;
    r = send_request((struct ipmi_session *)base, request_control, command, answer, deadline, why);
    fiid_obj_destroy(answer);
    return r;
}

const struct power_protocol power_protocol_ipmi = {
    .name = "ipmi",
    .default_port = 623,
    .open = ipmi_open,
    .read = ipmi_read,
    .command = ipmi_command,
    .close = ipmi_close,
};
