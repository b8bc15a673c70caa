/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power/ipmi_reason.h"

#include <errno.h>
#include <freeipmi/freeipmi.h>

static const struct ipmi_reason reasons[] = {
    { IPMI_ERR_CONNECTION_TIMEOUT, -ETIMEDOUT, true, "timed out: nothing answers there",
      "check the address, the port, the cable, and that IPMI over LAN is enabled in the controller" },
    { IPMI_ERR_SESSION_TIMEOUT, -ETIMEDOUT, true, "timed out: the controller stopped answering",
      "some controllers fall silent at a wrong user name or password; others while they restart their network" },
    { IPMI_ERR_PASSWORD_VERIFICATION_TIMEOUT, -ETIMEDOUT, false, "timed out while the password was checked",
      "check the password" },
    { IPMI_ERR_MESSAGE_TIMEOUT, -ETIMEDOUT, true, "timed out: the controller could not reach its chassis in time",
      "reset the controller if that goes on" },
    { IPMI_ERR_USERNAME_INVALID, -EACCES, false, "the controller does not know this user name",
      "check username, and that the account is enabled for IPMI over LAN" },
    { IPMI_ERR_PASSWORD_INVALID, -EACCES, false, "the controller refuses the password",
      "check username and password_file, and that privlvl is not above the account's" },
    { IPMI_ERR_K_G_INVALID, -EACCES, false, "the controller's key (Kg) does not match",
      "set hexadecimal_kg_file to the key that is set in the controller" },
    { IPMI_ERR_PRIVILEGE_LEVEL_INSUFFICIENT, -EACCES, false, "the account's privilege does not suffice",
      "give the account operator privilege or more on the LAN channel" },
    { IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED, -EACCES, false, "the account may not have the privilege that privlvl asks for",
      "lower privlvl to operator, or raise the account" },
    { IPMI_ERR_AUTHENTICATION_TYPE_UNAVAILABLE, -EACCES, false, "the controller offers no such authentication to this account",
      "enable RMCP+ (IPMI 2.0) in the controller" },
    { IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE, -EPROTONOSUPPORT, false, "the controller does not offer this cipher suite",
      "enable suite 17 or 3 in the controller, or set cipher to one that it offers" },
    { IPMI_ERR_IPMI_2_0_UNAVAILABLE, -EPROTONOSUPPORT, false, "the controller speaks only IPMI 1.5",
      "enable RMCP+ (IPMI 2.0) or update the controller's firmware" },
    { IPMI_ERR_BAD_RMCPPLUS_STATUS_CODE, -EPROTO, true, "the controller refused to open a session",
      "set cipher to a suite that it offers, or try workarounds" },
    { IPMI_ERR_IPMI_ERROR, -EBADMSG, true, "the controller's answer breaks the protocol",
      "try workarounds, and update the controller's firmware" },
    { IPMI_ERR_BAD_COMPLETION_CODE, -EIO, true, "the controller answered with an error",
      "look at its event log, and reset it if that goes on" },
    { IPMI_ERR_COMMAND_INVALID_OR_UNSUPPORTED, -EOPNOTSUPP, false, "the controller does not know this chassis command",
      "use another method, or another fence device for this node" },
    { IPMI_ERR_BMC_BUSY, -EBUSY, true, "the controller is busy or has no free session",
      "close other IPMI sessions, or reset the controller if that goes on" },
    { IPMI_ERR_DRIVER_BUSY, -EBUSY, true, "the controller is busy", "reset it if that goes on" },
    { IPMI_ERR_HOSTNAME_INVALID, -ENOENT, false, "the address cannot be used", "check ip or hosts" },
    { IPMI_ERR_OUT_OF_MEMORY, -ENOMEM, false, "out of memory", "free some" },
    { IPMI_ERR_PARAMETERS, -EINVAL, false, "libfreeipmi refuses the parameters",
      "check username (at most 16 bytes), the password (at most 20) and cipher" },
};

static const struct ipmi_reason unknown_reason = { -1, -EIO, true, "libfreeipmi failed",
                                                   "look at the system log, and try ipmipower against the controller" };

const struct ipmi_reason *ipmi_reason_find(int error)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].error == error)
            return &reasons[i];
    return &unknown_reason;
}

static const struct {
    unsigned int code;
    const char *text;
} completions[] = {
    { 0xc0, "node busy" },
    { 0xc1, "invalid command" },
    { 0xc3, "timed out inside of the controller" },
    { 0xc4, "out of space" },
    { 0xcc, "invalid data in the request" },
    { 0xce, "no answer could be given" },
    { 0xcf, "duplicate request" },
    { 0xd1, "firmware update in progress" },
    { 0xd2, "the controller is starting up" },
    { 0xd3, "destination unavailable" },
    { 0xd4, "insufficient privilege" },
    { 0xd5, "not supported in the present state" },
    { 0xd6, "disabled" },
    { 0xff, "unspecified error" },
};

const char *ipmi_completion_text(unsigned int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(completions); i++)
        if (completions[i].code == code)
            return completions[i].text;
    return "a code of its own";
}
