/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_KEY_NOTE_H
#define VIGIL_STORAGE_KEY_NOTE_H
/*
 * The key that a node was last seen registered with, noted on this node until it restarts. Asking Corosync who is who costs more than asking a disk who is registered; but
 * Corosync may have learned of other nodes since, so a note is a guess: that its key is registered on every disk says that a node which had it may write; that it is not
 * says nothing.
 */
#include <stdint.h>

/* Reads the note. cluster: a name that was set by hand, or "". Returns 0; -ENOENT where there is none, or corosync.conf is another file now than it was then; -EBADMSG; -errno. */
int key_note_read(const char *cluster, const char *node, uint64_t *ret_key);

/* Writes it. Returns 0 or -errno: the next look then asks Corosync again. */
int key_note_write(const char *cluster, const char *node, uint64_t key);

#endif
