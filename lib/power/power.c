/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power/power.h"

#include "power/ipmi.h"

/* A further protocol is a line in each of these two lists, in the same order. */
static const struct power_protocol *const protocols[] = {
    &power_protocol_ipmi,
};
const char *const power_protocol_names[] = { "ipmi", NULL };

_Static_assert(ARRAY_SIZE(protocols) + 1 == ARRAY_SIZE(power_protocol_names), "one name for each protocol");

const struct power_protocol *power_protocol_at(int index)
{
    if (index < 0 || (size_t)index >= ARRAY_SIZE(protocols))
        return NULL;
    return protocols[index];
}

const struct power_protocol *power_protocol_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (text_equal(protocols[i]->name, name))
            return protocols[i];
    return NULL;
}

int power_look(const struct power_protocol *protocol, const struct power_endpoint *endpoint, const struct power_login *login,
               struct deadline deadline, struct text_buffer *why, struct power_reading *ret)
{
    struct power_session *session = NULL;
    int r = protocol->open(endpoint, login, deadline, why, &session);

    if (r < 0)
        return r;
    r = protocol->read(session, deadline, why, ret);
    protocol->close(session);
    return r;
}
