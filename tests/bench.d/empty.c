/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The yardstick of tests/bench: what a dynamically linked C program costs that does nothing. */
int main(void)
{
    return 0;
}
