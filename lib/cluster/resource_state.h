/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_RESOURCE_STATE_H
#define VIGIL_CLUSTER_RESOURCE_STATE_H
/*
 * What Pacemaker says of a resource, read from its XML. Pure functions over bytes; what they can't read is an error, never "all is well".
 *
 * An operation's history is what the controller writes into the CIB's status section (lrm_rsc_op; Pacemaker Development, "Operation history").
 * Whether a resource is managed is asked of crm_mon, since rules, defaults, groups, clones and nodes decide it together.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a resource stands on this node by the history of its operations. */
enum resource_standing {
    RESOURCE_UNKNOWN,  /* no history of it here */
    RESOURCE_RUNNING,  /* its last word is a start, promotion or monitor that went well */
    RESOURCE_STARTING, /* a start (or another operation than a stop) is under way */
    RESOURCE_STOPPING, /* a stop is under way */
    RESOURCE_STOPPED,
    RESOURCE_FAILED,   /* a failure behind its last start is known to Pacemaker */
};

struct resource_history {
    enum resource_standing standing;
};

/* Reads the lrm_resource element of one resource (or several elements around it). Returns 0 or -EBADMSG. */
int resource_history_parse(const char *bytes, size_t length, struct resource_history *ret);

/* The name of the node attribute that counts the failures that were reported from outside (pcmk_controld_api_fail). Returns 0 or -ENAMETOOLONG. */
int failure_count_name(const char *resource, char *buffer, size_t size);

/* Finds a node attribute of that name in a piece of the CIB, or of a change to it, and reads its number; the last one where there are more. Returns 0, -ENOENT,
 * or -ERANGE where it is no number (INFINITY). */
int failure_count_parse(const char *bytes, size_t length, const char *name, int64_t *ret);

/* Adds up the failures of a resource, of every operation, in a piece of a node's attributes: what Pacemaker compares with the resource's migration-threshold.
 * INT64_MAX where one of them is no number (INFINITY). */
int64_t failure_total_parse(const char *bytes, size_t length, const char *resource);

/* The least migration-threshold in a piece of the CIB's configuration, of any resource; INT64_MAX where there is none, 0 where one is neither a number nor
 * INFINITY. Pacemaker takes 0 for no threshold; here it means that nothing is known. */
int64_t failure_threshold_parse(const char *bytes, size_t length);

/* Whether that Pacemaker ("2.1.5-a3f44794f94", the CIB's dc-version) increments the count twice for one failure that is reported from outside: those before
 * 2.1.6 do (its commit a457eb83fe). False for what is no version. */
bool pacemaker_counts_twice(const char *version);

/* Whether that Pacemaker leaves the history of a resource as another program has written it: from 2.1.7 on its coordinator answers a change of the status that is none of
 * its own programs' with an election, and all nodes write their histories anew (cib__client_triggers_refresh() in crm/cib/internal.h). False for what is no version. */
bool pacemaker_keeps_history(const char *version);

/* Finds dc-version in a piece of the CIB. Returns false where it is not there, or too long. */
bool pacemaker_version_parse(const char *bytes, size_t length, char *buffer, size_t size);

/* The resources of a node that must be left alone. */
struct resource_exceptions {
    char **names; /* unmanaged, in maintenance, or blocked */
    size_t count;
};

/* Reads the output of crm_mon --output-as=xml: resources on this node that are not managed, in maintenance or blocked. Returns 0, -EBADMSG for what is not
 * that output, whole; -ENOMEM. */
int resource_exceptions_parse(const char *bytes, size_t length, const char *node, struct resource_exceptions *ret);
/* True when it is one of them; an instance of a clone ("db:1") is meant by its name alone, too. */
bool resource_exceptions_have(const struct resource_exceptions *exceptions, const char *resource);
void resource_exceptions_free(struct resource_exceptions *exceptions);

#endif
