// The unit tests' frame. One program per module: include this once, write TESTs, done.
//
//     #include "check.h"
//     #include "base/hex.h"
//
//     TEST(decodes_both_cases)
//     {
//         CHECK(hex_decode(...));
//         CHECK_EQ(n, 2);
//     }
//
// A failed CHECK ends its test, also from a helper function; the other tests still run. Programs run in the root of the sources
// ("tests/vectors/..." opens). Output: "ok NAME" or "not ok NAME: why" for each test; status 1 if any failed. Arguments name
// the tests to run; none means all. Built with the address and undefined-behaviour sanitizers.
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check_test {
    const char *name;
    void (*run)(void);
    struct check_test *next;
};

static struct check_test *check_first, **check_last = &check_first;
static jmp_buf check_end;
static char check_why[2048];

#define TEST(id)                                                                                                                 \
    static void test_##id(void);                                                                                                 \
    static struct check_test check_##id = {#id, test_##id, NULL};                                                                \
    __attribute__((constructor)) static void check_add_##id(void)                                                                \
    {                                                                                                                            \
        *check_last = &check_##id;                                                                                               \
        check_last = &check_##id.next;                                                                                           \
    }                                                                                                                            \
    static void test_##id(void)

// Ends the running test as failed, with a printf text.
__attribute__((noreturn, format(printf, 1, 2), unused)) static void check_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(check_why, sizeof check_why, format, ap);
    va_end(ap);
    longjmp(check_end, 1);
}

#define CHECK(cond) ((cond) ? (void)0 : check_fail("%s:%d: %s", __FILE__, __LINE__, #cond))

// Integers; both values are shown.
#define CHECK_EQ(a, b)                                                                                                           \
    do {                                                                                                                         \
        long long check_a = (long long)(a), check_b = (long long)(b);                                                            \
        if (check_a != check_b)                                                                                                  \
            check_fail("%s:%d: %s is %lld, wanted %s = %lld", __FILE__, __LINE__, #a, check_a, #b, check_b);                     \
    } while (0)

// C strings; both are shown.
#define CHECK_STR(a, b)                                                                                                          \
    do {                                                                                                                         \
        const char *check_a = (a), *check_b = (b);                                                                               \
        if (strcmp(check_a, check_b) != 0)                                                                                       \
            check_fail("%s:%d: %s is \"%s\", wanted \"%s\"", __FILE__, __LINE__, #a, check_a, check_b);                          \
    } while (0)

// True when the test ran to its end. Alone in a function, for setjmp spoils the locals around it.
static int check_run(struct check_test *t)
{
    if (setjmp(check_end) != 0)
        return 0;
    t->run();
    return 1;
}

int main(int argc, char **argv)
{
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct check_test *t = check_first; t != NULL; t = t->next) {
        int wanted = argc < 2;

        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], t->name) == 0;
        if (!wanted)
            continue;
        if (check_run(t)) {
            printf("ok %s\n", t->name);
            continue;
        }
        for (char *p = check_why; *p != '\0'; p++)
            *p = *p == '\n' ? ' ' : *p;
        printf("not ok %s: %s\n", t->name, check_why);
        failed = 1;
    }
    return failed;
}

#endif
