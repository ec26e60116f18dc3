/* An /init for tests of `plinth run` alone: answers the nonce with evidence, refuses, or says nothing, as the kernel command line has it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void) {
    static char big[600000], mode[4096], line[200];
    char name[300] = "";
    mount("dev", "/dev", "devtmpfs", 0, 0);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sys", "/sys", "sysfs", 0, 0);
    (void)!read(open("/proc/cmdline", O_RDONLY), mode, sizeof mode - 1);
    DIR *d = opendir("/sys/class/virtio-ports");
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] == 'v') snprintf(name, sizeof name, "/dev/%s", e->d_name);
    int port = open(name, O_RDWR);
    dprintf(port, "ready 0\n");
    ssize_t n = read(port, line, sizeof line - 1);
    printf("\033[2J\033[31mgot %s", line);
    fflush(stdout);
    if (strstr(mode, "test=silent")) sleep(1000);
    if (strstr(mode, "test=refuse")) {
        dprintf(port, "failure 13\ntrust: \033[31m.");
    } else {
        memset(big, 'x', sizeof big);
        memcpy(big, line, n > 0 ? (size_t)n : 0);
        dprintf(port, "evidence %zu\n", sizeof big);
        for (size_t at = 0; at < sizeof big && n > 0; at += (size_t)n) n = write(port, big + at, sizeof big - at);
        sleep(1000);
    }
    reboot(RB_POWER_OFF);
    return 1;
}
