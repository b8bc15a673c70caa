/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_APPLICATION_UNIT_H
#define VIGIL_HEALTH_APPLICATION_UNIT_H
/*
 * The actions of health/application.h for an application that is a systemd unit. Each returns like its namesake there.
 */
#include "health/application.h"

int application_unit_look(const struct application *application, struct deadline deadline,
                          struct application_view *ret, struct text_buffer *why);
int application_unit_start(const struct application *application, struct deadline deadline, struct text_buffer *why);
int application_unit_stop(const struct application *application, struct deadline deadline, struct text_buffer *why);
int application_unit_reload(const struct application *application, struct deadline deadline, struct text_buffer *why);

#endif
