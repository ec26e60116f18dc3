/* plinth: the host tool. The same program is its own workers: the monitor starts it again under their names. */
#include "base/version.h"
#include "sys/console.h"
#include "tools/layout.h"
#include "tools/options.h"
#include "tools/store.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"pull", "verify an image and unpack it into a directory", cmd_pull},
    {"check", "verify an image's signatures, manifest and config; unpack nothing", cmd_check},
    {"policy", "convert a containers-policy.json(5) into a policy", cmd_policy},
    {"initrd", "make the reproducible initramfs: agent, policy, CA bundle, kernel modules", cmd_initrd},
    {"run", "boot it all under QEMU, and fetch the evidence", cmd_run},
    {"uki", "make one EFI file of kernel, initramfs and command line", cmd_uki},
    {"verify", "appraise the evidence of a machine against reference values, offline", cmd_verify},
    {"verify-quote", "appraise one hardware quote, offline", cmd_verify_quote},
    {"serve", "appraise guests and give them their keys and secrets (KBS protocol)", cmd_serve},
    {"measure", "predict the registers of a machine from files: vTPM, SEV-SNP, TDX", cmd_measure},
    {"eventlog", "print and replay an event log", cmd_eventlog},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int print_help(FILE *to, int status) {
    fprintf(to, "usage: plinth COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < COMMANDS; i++) fprintf(to, "  %-14s%s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\nplinth COMMAND --help tells more; plinth --version; man plinth.\n"
                "Exit status: 0 yes, 1 refused, 2 wrong usage or unreadable policy, 3 the world failed.\n");
    return fflush(to) ? 3 : status;
}

/* Descriptors 0-2 must exist before anything is opened, or a file would take their place and get our messages. */
static void fill_standard_descriptors(void) {
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2) close(fd);
}

int main(int argc, char **argv) {
    if (argc < 1) return 2;
    int worker = !strcmp(argv[0], WORKER_LAYOUT)  ? layout_main()
                 : !strcmp(argv[0], WORKER_STORE) ? store_main()
                                                  : worker_main(argv[0]);
    if (worker >= 0) return worker;

    fill_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    console_open(CONSOLE_HOST);
    if (argc < 2) return print_help(stderr, 2);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) return print_help(stdout, 0);
    if (!strcmp(argv[1], "--version")) return printf("plinth %s\n", plinth_version) < 0 || fflush(stdout) ? 3 : 0;
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    struct err e;
    err_set(&e, ERR_USAGE, "%s: no such command", argv[1]);
    err_mend(&e, "plinth --help lists the commands");
    return command_fail(&e);
}
