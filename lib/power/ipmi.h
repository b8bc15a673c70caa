/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_POWER_IPMI_H
#define VIGIL_POWER_IPMI_H
/*
 * IPMI 2.0 over RMCP+, through libfreeipmi. Source of the rules: IPMI v2.0 rev. 1.1, chapters 13 (RMCP+), 22 (sessions) and 28 (chassis).
 */
#include "power/power.h"

extern const struct power_protocol power_protocol_ipmi;

/* Names of workarounds for controllers that break the specification, as FreeIPMI's own tools name them, separated by blanks or
 * commas: authcap intel20 supermicro20 sun20 opensesspriv integritycheckvalue, or none. Returns 0 and the bits for struct power_login,
 * or -EINVAL with what is wanted in why. Pure. */
int ipmi_workarounds_parse(const char *text, unsigned int *ret, struct text_buffer *why);

/* The cipher suites that libfreeipmi speaks, as a parameter's choices: "best" first. */
extern const char *const ipmi_cipher_names[];
/* The suite of an index in that list, or POWER_CIPHER_BEST. */
int ipmi_cipher_at(int index);
/* False for a suite whose packets anybody on the network could forge, or that asks for no password at all (table 22-20). */
bool ipmi_cipher_is_safe(int suite);

/* The controller's key (Kg) from up to 40 hexadecimal digits, an even number, with or without 0x; padded with zeros. Returns 0 or
 * -EINVAL. Pure. */
int ipmi_k_g_parse(const char *text, unsigned char ret[POWER_K_G_LENGTH]);

/* The slave address of a controller that commands are bridged to, such as 0x24. Returns 0, or -EINVAL / -ERANGE; *ret is then (and for
 * NULL, which is -ENODATA) POWER_TARGET_SELF. Pure. */
int ipmi_target_parse(const char *text, int *ret);

/* IPMI v2.0, tables 22-33 (Set User Name) and 22-39 (Set User Password). */
#define IPMI_USERNAME_LONGEST 16
#define IPMI_PASSWORD_LONGEST 20

/* Checks of parameters: 0, or -EINVAL with what is wanted in why. */
int ipmi_workarounds_check(const char *text, struct text_buffer *why);
int ipmi_k_g_check(const char *text, struct text_buffer *why);
int ipmi_target_check(const char *text, struct text_buffer *why);
int ipmi_username_check(const char *text, struct text_buffer *why);
int ipmi_password_check(const char *text, struct text_buffer *why);

/* The power of a chassis from the first byte behind the completion code of Get Chassis Status (table 28-3). A controller that says
 * "off" and at the same time that the system did not enter the desired state is not believed. Pure. */
enum power_state ipmi_chassis_power(uint8_t current_power_state);

#endif
