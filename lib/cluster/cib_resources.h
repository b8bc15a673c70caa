/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_CIB_RESOURCES_H
#define VIGIL_CLUSTER_CIB_RESOURCES_H
/*
 * What the cluster's configuration (CIB) says of its resources, asked of this node's copy by cibadmin, whose call is the same in Pacemaker 2.1 and 3.0 while the
 * library's is not.
 */
#include <stddef.h>

#include "base/deadline.h"

/* Called for each parameter of each resource of the kind. All texts are borrowed for the call. */
typedef void (*cib_visitor)(void *context, const char *resource, const char *name, const char *value);

/* Visits the instance attributes of all primitives <primitive provider="..." type="..."> in a text of the CIB's resources section, with what they take from a template or
 * by reference. Of a parameter that comes twice for a resource the first holds. Returns the number of primitives of the kind; -ENOTSUP where a rule or a score decides what
 * holds, -ENOKEY where a template or a reference is not in the text: what was visited is then not all; -EBADMSG when the text is no such XML, -ELIBACC without
 * libxml2. Pure. */
int cib_resources_parse(const char *text, size_t length, const char *provider, const char *type, cib_visitor visitor, void *context);

/* The same of the cluster that runs here. Returns also -ENOENT (no cibadmin), -ENOTCONN (the cluster does not run here), -ETIMEDOUT, -errno. */
int cib_resources_visit(const char *provider, const char *type, struct deadline deadline, cib_visitor visitor, void *context);

/* What such an error means, as the end of a sentence. */
const char *cib_resources_error_text(int error);

#endif
