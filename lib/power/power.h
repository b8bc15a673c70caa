/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_POWER_POWER_H
#define VIGIL_POWER_POWER_H
/*
 * The power of a server through its management controller (BMC). A protocol is a table of operations; adding one is a file with
 * its table and a line in power.c.
 *
 * All operations return 0 or -errno, and on failure append "cause: remedy" to why, without the password. -ETIMEDOUT: no answer in time.
 * -EACCES: the controller refused the account, which another try will not change (and may lock the account). -EBUSY: it answered that it
 * has no time or no session left. -EBADMSG: its answer makes no sense. The others are as errno(3) has them.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/fence.h"
#include "base/deadline.h"
#include "base/text.h"
#include "power/endpoint.h"

enum power_command {
    POWER_COMMAND_OFF, /* at once, without asking the operating system */
    POWER_COMMAND_ON,
    POWER_COMMAND_CYCLE,
    POWER_COMMAND_DIAG, /* diagnostic interrupt (NMI): the operating system writes its dump */
};

enum power_privilege {
    POWER_PRIVILEGE_USER,
    POWER_PRIVILEGE_OPERATOR, /* the least that may switch the power */
    POWER_PRIVILEGE_ADMINISTRATOR,
};

/* How to log in. Everything is borrowed for the life of the session. */
struct power_login {
    const char *username;     /* NULL or "": the anonymous account */
    const char *password;     /* NULL or "": none */
    const unsigned char *k_g; /* the controller's own key, POWER_K_G_LENGTH bytes, or NULL */
    enum power_privilege privilege;
    int cipher_suite;         /* of IPMI 2.0, table 22-20; POWER_CIPHER_BEST: the best that the controller takes of 17 and 3 */
    unsigned int workarounds; /* bits of the protocol's own, see ipmi_workarounds_parse */
    int target;               /* slave address of the controller that the commands are for, or POWER_TARGET_SELF */
    uint64_t login_ms;        /* how long to wait for each answer of a log-in before it is begun again */
    uint64_t answer_ms;       /* how long to wait for the answer to a command before the session counts as lost */
    uint64_t resend_ms;       /* a request without an answer is sent again after this time, then at growing intervals */
};
#define POWER_K_G_LENGTH 20
#define POWER_TARGET_SELF (-1)
#define POWER_CIPHER_BEST (-1)

/* What the controller said about the power, and its own words for the record. */
struct power_reading {
    enum power_state state; /* POWER_UNKNOWN where its words contradict each other */
    char evidence[128];
};

/* A log-in that is open. The protocol's own data follows. */
struct power_session {
    const struct power_protocol *protocol;
};

struct power_protocol {
    const char *name;
    uint16_t default_port;
    /* Logs in, trying again until the deadline where that may help. */
    int (*open)(const struct power_endpoint *endpoint, const struct power_login *login, struct deadline deadline,
                struct text_buffer *why, struct power_session **ret);
    /* Reads the state now. A session that the controller has lost is opened again, until the deadline. */
    int (*read)(struct power_session *session, struct deadline deadline, struct text_buffer *why, struct power_reading *ret);
    /* Gives a command. 0 means that the controller accepted it, which proves nothing about the power. A command that can be
     * repeated without harm (off, on) is repeated until the deadline; cycle and diag are given once. */
    int (*command)(struct power_session *session, enum power_command command, struct deadline deadline,
                   struct text_buffer *why);
    /* Logs out, in bounded time, and frees. NULL is allowed. */
    void (*close)(struct power_session *session);
};

/* Logs in, reads the power once, logs out. Returns as the operations do. */
int power_look(const struct power_protocol *protocol, const struct power_endpoint *endpoint, const struct power_login *login,
               struct deadline deadline, struct text_buffer *why, struct power_reading *ret);

/* The protocol of that name, or NULL. */
const struct power_protocol *power_protocol_find(const char *name);

/* Index in this list is the argument of power_protocol_at: for a parameter that chooses. NULL-terminated. */
extern const char *const power_protocol_names[];
const struct power_protocol *power_protocol_at(int index);

#endif
