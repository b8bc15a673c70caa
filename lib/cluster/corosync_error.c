/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/corosync_error.h"

#include <errno.h>

int corosync_error(cs_error_t error)
{
    switch (error) {
    case CS_OK:
        return 0;
    case CS_ERR_TRY_AGAIN:
    case CS_ERR_QUEUE_FULL:
    case CS_ERR_BUSY:
        return -EAGAIN;
    case CS_ERR_LIBRARY: /* libqb has lost or not got its connection */
    case CS_ERR_NOT_EXIST:
    case CS_ERR_BAD_HANDLE:
    case CS_ERR_INIT:
        return -ENOTCONN;
    case CS_ERR_ACCESS:
        return -EACCES;
    case CS_ERR_NO_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}
