/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_INSTANCE_NAME_H
#define VIGIL_CLOUD_INSTANCE_NAME_H
/*
 * Which instance is which node of the cluster: by a list (hosts), by a tag of the instances, or by their names.
 */
#include "base/text.h"
#include "cloud/cloud.h"

struct instance_naming {
    const char *hosts; /* "NODE=INSTANCE ..." separated by blanks, commas or semicolons; NULL: none */
    const char *tag;   /* name of a tag whose value is the node's name; NULL: the display name is the node's name */
};

/* Called for each pair of a list, names borrowed and not terminated. Returns 0 to go on. */
typedef int (*instance_visit)(void *context, const char *node, size_t node_length, const char *id, size_t id_length);

/* Walks over a list. Pure. Returns 0, what visit returned, or -EINVAL with what is wanted in why (may be NULL): a part without '=', an empty or
 * malformed name or id, a node or an instance that is named twice. Nothing is visited then. */
int instance_hosts_walk(const char *hosts, instance_visit visit, void *context, struct text_buffer *why);

/* For a row's .check. */
int instance_hosts_check(const char *text, struct text_buffer *why);

/* The instance of a node in the list. Returns 0, -ENOENT, -EINVAL, -ENAMETOOLONG. Pure. */
int instance_hosts_find(const char *hosts, const char *node, char *ret_id, size_t size);

/* The node of an instance in the list. Returns as instance_hosts_find. */
int instance_hosts_find_node(const char *hosts, const char *id, char *ret_node, size_t size);

/* True where the text has the form of an instance's id in one of the clouds: "i-...", "ins-...", or a UUID. Pure. */
bool instance_id_form(const char *text);

/* Finds the instance of a node, and describes it: by the list, else as an id where the node's name has the form of one, else by tag or name. By tag or
 * name, exactly one instance that is not terminated must bear it. Returns 0; -ENOENT: no such instance (an instance that was terminated does not count, since
 * another may bear its name); -EEXIST: several; another -errno as cloud.h says. why gets one line: what and what to do. */
int instance_find(struct cloud *cloud, const struct instance_naming *naming, const char *node, struct deadline deadline,
                  struct cloud_instance *ret, struct text_buffer *why);

/* The node of an instance: by the list, else by tag or name of the instance, which no other instance may bear (one that was terminated does not count).
 * Returns 0; -ENOENT: no name (a list that does not have the instance, an instance without the tag, an instance that the cloud does not know); -EEXIST: another
 * instance bears it as well; -errno. why gets one line. */
int instance_find_node(struct cloud *cloud, const struct instance_naming *naming, const char *id, struct deadline deadline,
                       char *ret_node, size_t size, struct text_buffer *why);

#endif
