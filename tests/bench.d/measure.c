/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure: runs commands in turn, again and again, and prints what each cost.
 *
 *     measure [--runs N] [--warmup N] [--background] ITEM ::: ITEM ...
 *     ITEM = NAME [=CODE] [<FILE] [VARIABLE=VALUE ...] PROGRAM [ARGUMENT ...]
 *
 * One round runs every item once, in the order given, so that what disturbs the machine disturbs all alike, and so that a stop can
 * stand behind its start. CODE is the exit code that is wanted (0), FILE the standard input; output goes to /dev/null. A PROGRAM
 * stands with its path.
 *
 * The CPU time is the kernel's own (wait4(2)): user and system time of the program and of all children that it waited for. What it left
 * behind in the background is counted too with --background, which waits for it (it becomes our child: PR_SET_CHILD_SUBREAPER).
 *
 * Prints one line an item, tab-separated: name, runs, runs with another exit code, CPU min median max, elapsed min median max
 * (microseconds), peak resident memory of its largest process (KiB).
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { ITEMS_MAX = 32, RUNS_MAX = 10000 };

extern char **environ;

struct item {
    const char *name;
    int wanted_code;
    const char *input;
    char **variables; /* count of them; they borrow from argv */
    size_t variable_count;
    char **argv;

    uint64_t *cpu_us;
    uint64_t *elapsed_us;
    long peak_kib;
    unsigned int wrong;
};

struct options {
    size_t runs;
    size_t warmup;
    bool background;
};

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t usage_cpu_us(const struct rusage *usage)
{
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

/* The environment of this process and the item's own variables behind it, where they win since they replace. NULL without memory. */
static char **item_environment(const struct item *item)
{
    size_t count = 0, used = 0;
    char **environment;

    while (environ[count])
        count++;
    environment = calloc(count + item->variable_count + 1, sizeof(*environment));
    if (!environment)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;

        for (size_t k = 0; k < item->variable_count && !replaced; k++)
            replaced = strncmp(environ[i], item->variables[k], strcspn(item->variables[k], "=") + 1) == 0;
        if (!replaced)
            environment[used++] = environ[i];
    }
    memcpy(environment + used, item->variables, item->variable_count * sizeof(*environment));
    return environment;
}

/* Starts the item's program. Returns 0 or -errno. */
static int item_spawn(const struct item *item, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    char **environment = item_environment(item);
    int error;

    if (!environment)
        return -ENOMEM;
    error = posix_spawn_file_actions_init(&actions);
    if (!error) {
        error = posix_spawn_file_actions_addopen(&actions, 0, item->input ? item->input : "/dev/null", O_RDONLY, 0);
        if (!error)
            error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        if (!error)
            error = posix_spawn_file_actions_adddup2(&actions, 1, 2);
        if (!error)
            error = posix_spawn(ret_pid, item->argv[0], &actions, NULL, item->argv, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    free(environment);
    return -error;
}

/* Waits for every process that was left behind. Returns the CPU time of all of them. */
static uint64_t background_wait(void)
{
    struct rusage usage;
    uint64_t sum_us = 0;
    pid_t pid;

    while ((pid = wait4(-1, NULL, 0, &usage)) > 0 || (pid < 0 && errno == EINTR))
        if (pid > 0)
            sum_us += usage_cpu_us(&usage);
    return sum_us;
}

/* Runs the item once; index is where its figures go, or negative for a run that is not counted. Returns 0 or -errno. */
static int item_run(struct item *item, ssize_t index, const struct options *options)
{
    struct rusage usage;
    uint64_t begin_us = now_us(), elapsed_us, cpu_us;
    int status = 0, error;
    pid_t pid;

    error = item_spawn(item, &pid);
    if (error)
        return error;
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            return -errno;
    elapsed_us = now_us() - begin_us;
    cpu_us = usage_cpu_us(&usage);
    if (options->background)
        cpu_us += background_wait();
    if (index < 0)
        return 0;
    item->cpu_us[index] = cpu_us;
    item->elapsed_us[index] = elapsed_us;
    if (usage.ru_maxrss > item->peak_kib)
        item->peak_kib = usage.ru_maxrss;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != item->wanted_code)
        item->wrong++;
    return 0;
}

static int compare_uint64(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void figures_print(uint64_t *figures, size_t count)
{
    uint64_t median;

    qsort(figures, count, sizeof(*figures), compare_uint64);
    median = (figures[(count - 1) / 2] + figures[count / 2]) / 2;
    printf("\t%llu\t%llu\t%llu", (unsigned long long)figures[0], (unsigned long long)median,
           (unsigned long long)figures[count - 1]);
}

static void item_print(const struct item *item, size_t runs)
{
    printf("%s\t%zu\t%u", item->name, runs, item->wrong);
    figures_print(item->cpu_us, runs);
    figures_print(item->elapsed_us, runs);
    printf("\t%ld\n", item->peak_kib);
}

/* Reads one item from words, whose end is NULL. Returns 0, -EINVAL when there is no program, -ENOMEM. */
static int item_parse(struct item *item, char **words, size_t runs)
{
    item->name = *words ? *words++ : NULL;
    for (; *words; words++) {
        if (**words == '=')
            item->wanted_code = (int)strtol(*words + 1, NULL, 10);
        else if (**words == '<')
            item->input = *words + 1;
        else
            break;
    }
    item->variables = words;
    while (*words && strchr(*words, '=') && !strchr("/.", **words)) {
        item->variable_count++;
        words++;
    }
    item->argv = words;
    if (!*words)
        return -EINVAL;
    item->cpu_us = calloc(runs, sizeof(*item->cpu_us));
    item->elapsed_us = calloc(runs, sizeof(*item->elapsed_us));
    return item->cpu_us && item->elapsed_us ? 0 : -ENOMEM;
}

/* Splits the words at ":::" into items. Returns how many, or -errno. */
static int items_parse(struct item *items, char **words, size_t runs)
{
    int count = 0;

    while (*words) {
        char **end = words;
        bool last;
        int error;

        while (*end && strcmp(*end, ":::") != 0)
            end++;
        last = !*end;
        *end = NULL;
        if (count == ITEMS_MAX)
            return -E2BIG;
        error = item_parse(&items[count++], words, runs);
        if (error)
            return error;
        words = last ? end : end + 1;
    }
    return count;
}

/* Reads the options. Returns the index of the first word behind them, or -EINVAL. */
static int options_parse(int argc, char **argv, struct options *options)
{
    int i;

    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--background") == 0)
            options->background = true;
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            options->runs = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--warmup") == 0 && i + 1 < argc)
            options->warmup = strtoul(argv[++i], NULL, 10);
        else
            return -EINVAL;
    }
    return options->runs > 0 && options->runs <= RUNS_MAX && i < argc ? i : -EINVAL;
}

static int rounds_run(struct item *items, int count, const struct options *options)
{
    for (size_t round = 0; round < options->warmup + options->runs; round++) {
        ssize_t index = (ssize_t)round - (ssize_t)options->warmup;

        for (int i = 0; i < count; i++) {
            int error = item_run(&items[i], index, options);

            if (error) {
                fprintf(stderr, "measure: %s: %s: %s\n", items[i].name, items[i].argv[0], strerror(-error));
                return error;
            }
        }
    }
    return 0;
}

int main(int argc, char *argv[])
{
    struct options options = { .runs = 20, .warmup = 2 };
    struct item items[ITEMS_MAX] = { 0 };
    int first = options_parse(argc, argv, &options), count;

    count = first < 0 ? first : items_parse(items, argv + first, options.runs);
    if (count <= 0) {
        fprintf(stderr, "usage: measure [--runs N] [--warmup N] [--background] "
                        "NAME [=CODE] [<FILE] [VARIABLE=VALUE ...] PROGRAM [ARGUMENT ...] [::: NAME ...]\n");
        return 2;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || rounds_run(items, count, &options) < 0)
        return 1;
    for (int i = 0; i < count; i++) {
        item_print(&items[i], options.runs);
        free(items[i].cpu_us);
        free(items[i].elapsed_us);
    }
    return 0;
}
