/* SPDX-License-Identifier: Apache-2.0
 * The few functions that a compiler may call by itself where there is no C library: on the chip and in WebAssembly.
 * A firmware that links its own library leaves this file out. */
#include <stddef.h>
#include <stdint.h>

/* GCC turns a loop that copies or fills into a call of memcpy or memset: here, of the function that the loop is in. */
#if defined(__GNUC__) && !defined(__clang__)
#define TC_KEEP_LOOP __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define TC_KEEP_LOOP
#endif

void *memcpy(void *destination, const void *source, size_t count);
void *memmove(void *destination, const void *source, size_t count);
void *memset(void *destination, int value, size_t count);

TC_KEEP_LOOP void *memcpy(void *destination, const void *source, size_t count)
{
    unsigned char *d = destination;
    const unsigned char *s = source;
    while (count--)
        *d++ = *s++;
    return destination;
}

TC_KEEP_LOOP void *memmove(void *destination, const void *source, size_t count)
{
    unsigned char *d = destination;
    const unsigned char *s = source;
    if ((uintptr_t)d <= (uintptr_t)s)
        return memcpy(destination, source, count);
    while (count--)
        d[count] = s[count];
    return destination;
}

TC_KEEP_LOOP void *memset(void *destination, int value, size_t count)
{
    unsigned char *d = destination;
    while (count--)
        *d++ = (unsigned char)value;
    return destination;
}

#if defined(__arm__)

/* The names that the ARM ABI gives to these; note the order of arguments of __aeabi_memset. */
void __aeabi_memcpy(void *destination, const void *source, size_t count);
void __aeabi_memcpy4(void *destination, const void *source, size_t count);
void __aeabi_memcpy8(void *destination, const void *source, size_t count);
void __aeabi_memset(void *destination, size_t count, int value);
void __aeabi_memclr(void *destination, size_t count);
void __aeabi_memclr4(void *destination, size_t count);
void __aeabi_memclr8(void *destination, size_t count);

void __aeabi_memcpy(void *destination, const void *source, size_t count) { memcpy(destination, source, count); }
void __aeabi_memcpy4(void *destination, const void *source, size_t count) { memcpy(destination, source, count); }
void __aeabi_memcpy8(void *destination, const void *source, size_t count) { memcpy(destination, source, count); }
void __aeabi_memset(void *destination, size_t count, int value) { memset(destination, value, count); }
void __aeabi_memclr(void *destination, size_t count) { memset(destination, 0, count); }
void __aeabi_memclr4(void *destination, size_t count) { memset(destination, 0, count); }
void __aeabi_memclr8(void *destination, size_t count) { memset(destination, 0, count); }

/* Cortex-M0+ multiplies 32 x 32 -> 32 bits and shifts 32 bits; what is wider is put together here. */
typedef union {
    uint64_t whole;
    struct {
        uint32_t low, high; /* little endian */
    } half;
} tc_wide;

uint64_t __aeabi_lmul(uint64_t a, uint64_t b);
uint64_t __aeabi_llsl(uint64_t value, int shift);
uint64_t __aeabi_llsr(uint64_t value, int shift);
int64_t __aeabi_lasr(int64_t value, int shift);

uint64_t __aeabi_lmul(uint64_t a, uint64_t b)
{
    const tc_wide x = {a}, y = {b};
    const uint32_t x0 = x.half.low & 0xffffu, x1 = x.half.low >> 16;
    const uint32_t y0 = y.half.low & 0xffffu, y1 = y.half.low >> 16;
    const uint32_t low = x0 * y0, middle = x1 * y0 + (low >> 16); /* at most 0xfffe0001 + 0xffff: no carry */
    const uint32_t cross = x0 * y1 + (middle & 0xffffu);
    tc_wide product;
    product.half.low = (cross << 16) | (low & 0xffffu);
    product.half.high = x1 * y1 + (middle >> 16) + (cross >> 16) + x.half.low * y.half.high + x.half.high * y.half.low;
    return product.whole;
}

uint64_t __aeabi_llsl(uint64_t value, int shift)
{
    tc_wide v = {value};
    if (shift >= 32) {
        v.half.high = v.half.low << (shift - 32);
        v.half.low = 0;
    } else if (shift > 0) {
        v.half.high = (v.half.high << shift) | (v.half.low >> (32 - shift));
        v.half.low <<= shift;
    }
    return v.whole;
}

uint64_t __aeabi_llsr(uint64_t value, int shift)
{
    tc_wide v = {value};
    if (shift >= 32) {
        v.half.low = v.half.high >> (shift - 32);
        v.half.high = 0;
    } else if (shift > 0) {
        v.half.low = (v.half.low >> shift) | (v.half.high << (32 - shift));
        v.half.high >>= shift;
    }
    return v.whole;
}

int64_t __aeabi_lasr(int64_t value, int shift)
{
    const int64_t sign = value >> 63; /* 0 or -1: a shift by a constant, which needs no help */
    tc_wide v;
    v.whole = __aeabi_llsr((uint64_t)(value ^ sign), shift);
    return (int64_t)v.whole ^ sign;
}

#endif
