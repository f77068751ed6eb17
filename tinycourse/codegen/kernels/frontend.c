/* SPDX-License-Identifier: Apache-2.0
 * The front end in integers: window, FFT, mel energies, logarithm, DCT, one frame after the other. 32-bit numbers, 16-bit factors, and no
 * block exponent: samples have 16 bits, so there is room for 13 more behind the point. */
#include "kernels.h"

typedef struct {
    int32_t re, im;
} complex32;

/* log2 of 1, 33/32, ... 2, with 14 bits after the point. */
static const int16_t log2_table[33] = {
    0, 727, 1433, 2118, 2784, 3432, 4062, 4676, 5274, 5858, 6428, 6984, 7527, 8059, 8578, 9086, 9584, 10071, 10549, 11017,
    11476, 11926, 12368, 12802, 13228, 13646, 14057, 14461, 14858, 15249, 15634, 16012, 16384,
};

/* x * w / 2 for w in Q15, rounded down. */
TC_INLINE int32_t half_product(int32_t x, int32_t w)
{
#if defined(__ARM_FEATURE_DSP)
    return (int32_t)(((int64_t)x * w) >> 16); /* SMULWB, one instruction */
#else
    return (x >> 16) * w + (((x & 0xffff) * w) >> 16); /* the same in products of 32 bits */
#endif
}

/* Half of z * exp(-j angle); w has minus the cosine and minus the sine, since -1 fits into Q15 and 1 does not. */
TC_INLINE complex32 turn(complex32 z, const int16_t *w)
{
    const complex32 half = {
        -(half_product(z.re, w[0]) + half_product(z.im, w[1])),
        half_product(z.re, w[1]) - half_product(z.im, w[0]),
    };
    return half;
}

/* The next number when those below n, a power of two, are counted with their bits in the opposite order. */
TC_INLINE int32_t next_reversed(int32_t i, int32_t n)
{
    int32_t bit = n >> 1;
    for (; i & bit; bit >>= 1)
        i ^= bit;
    return i | bit;
}

/* x * w, with 13 bits after the point. */
TC_INLINE int32_t windowed(int32_t x, int32_t w) { return (x * w + 2) >> 2; }

/* Two samples make one complex number; they go where the FFT wants them. */
static void window(const tc_features_params *p, const int16_t *x, complex32 *z)
{
    const int32_t n = p->fft / 2;
    int32_t place = 0, i = 0;
    for (; i < p->window_size - 1; i += 2, place = next_reversed(place, n)) {
        z[place].re = windowed(x[i], p->window[i]);
        z[place].im = windowed(x[i + 1], p->window[i + 1]);
    }
    for (; i < p->fft; i += 2, place = next_reversed(place, n)) {
        z[place].re = i < p->window_size ? windowed(x[i], p->window[i]) : 0;
        z[place].im = 0;
    }
}

/* Complex FFT of n numbers in place, divided by n / 4: a stage of radix 4, whose factors are 1, j, -1 and -j, then radix 2. */
static void fft(complex32 *z, int32_t n, const int16_t *twiddle)
{
    for (complex32 *q = z; q < z + n; q += 4) {
        const complex32 a = {q[0].re + q[1].re, q[0].im + q[1].im}, b = {q[0].re - q[1].re, q[0].im - q[1].im};
        const complex32 c = {q[2].re + q[3].re, q[2].im + q[3].im}, d = {q[2].re - q[3].re, q[2].im - q[3].im};
        q[0] = (complex32){a.re + c.re, a.im + c.im};
        q[1] = (complex32){b.re + d.im, b.im - d.re};
        q[2] = (complex32){a.re - c.re, a.im - c.im};
        q[3] = (complex32){b.re - d.im, b.im + d.re};
    }
    for (int32_t span = 4; span < n; span *= 2)
        for (int32_t j = 0; j < span; j++) {
            const int16_t w[2] = {twiddle[2 * j * (n / span)], twiddle[2 * j * (n / span) + 1]};
            for (complex32 *a = z + j; a < z + n; a += 2 * span) {
                const complex32 turned = turn(a[span], w), half = {a->re >> 1, a->im >> 1};
                a[0] = (complex32){half.re + turned.re, half.im + turned.im};
                a[span] = (complex32){half.re - turned.re, half.im - turned.im};
            }
        }
}

/* From the transform of pairs of samples to that of the samples, bins 1 to n - 1. */
static void split(complex32 *z, int32_t n, const int16_t *twiddle)
{
    for (int32_t k = 1; k <= n / 2; k++) {
        const complex32 a = z[k], b = z[n - k];
        const complex32 even = {(a.re + b.re) >> 1, (a.im - b.im) >> 1};
        const complex32 odd = turn((complex32){a.im + b.im, b.re - a.re}, twiddle + 2 * k);
        z[k] = (complex32){even.re + odd.re, even.im + odd.im};
        z[n - k] = (complex32){even.re - odd.re, odd.im - even.im};
    }
}

/* Of a number that is not 0. */
TC_INLINE int32_t leading_zeros(uint32_t x)
{
#if defined(__ARM_FEATURE_CLZ)
    return __builtin_clz(x); /* one instruction; a Cortex-M0+ has none */
#else
    int32_t zeros = 0;
    for (int32_t step = 16; step; step /= 2)
        if (!(x >> (32 - step))) {
            x <<= step;
            zeros += step;
        }
    return zeros;
#endif
}

/* log2 with 9 bits after the point, of 1 or more. */
static int32_t log2_q9(uint64_t x)
{
    const uint32_t high = (uint32_t)(x >> 32), low = (uint32_t)x;
    const int32_t zeros = leading_zeros(high ? high : low), exponent = (high ? 63 : 31) - zeros;
    uint32_t mantissa = (high ? high : low) << zeros; /* the leading one, 5 bits for the table, 15 between its entries */
    if (high && zeros)
        mantissa |= low >> (32 - zeros);
    const int16_t *entry = log2_table + ((mantissa >> 26) & 31);
    const int32_t rest = (int32_t)((mantissa >> 11) & 0x7fff);
    return exponent * 512 + ((entry[0] * 32768 + (entry[1] - entry[0]) * rest + (1 << 19)) >> 20);
}

/* A bin between the peaks of two bands gives `weight` of its energy to the upper one, the rest to the lower one. */
static void log_mel(const tc_features_params *p, const complex32 *z, int16_t *logs)
{
    const int16_t *weight = p->mel;
    int64_t below = 0; /* what the band gets from the bins below its peak */
    z += p->first;
    for (int32_t band = -1; band < p->mels; band++) {
        int64_t rising = 0, total = 0;
        for (int32_t count = p->counts[band + 1]; count > 0; count--, z++) {
            const int32_t re = z->re >> p->down, im = z->im >> p->down;
            const int64_t power = (int64_t)re * re + (int64_t)im * im;
            rising += power * *weight++;
            total += power;
        }
        if (band >= 0)
            logs[band] = (int16_t)log2_q9((uint64_t)(below + (total * 4096 - rising) + p->floor));
        below = rising;
    }
}

/* DCT (no table: the mel bands as they are), mean, deviation, and the network's scale. */
static void finish(const tc_features_params *p, const int16_t *logs, int8_t *output)
{
    for (int32_t b = 0; b < p->bands; b++) {
        int32_t sum = p->bias[b];
        if (!p->dct)
            sum += logs[b];
        else
            for (int32_t m = 0; m < p->mels; m++)
                sum += p->dct[b * p->mels + m] * logs[m];
        output[b] = tc_clamp(tc_requantize(sum, p->multiplier[b], p->shift[b]) + p->zero_point, -128, 127);
    }
}

void tc_frame(const tc_features_params *p, const int16_t *input, int8_t *output, int8_t *scratch)
{
    complex32 *z = (complex32 *)(void *)scratch;
    int16_t *logs = (int16_t *)(void *)(z + p->fft / 2);
    window(p, input, z);
    fft(z, p->fft / 2, p->twiddle);
    split(z, p->fft / 2, p->twiddle);
    log_mel(p, z, logs);
    finish(p, logs, output);
}

void tc_features(const tc_features_params *p, const int16_t *input, int8_t *output, int8_t *scratch)
{
    int16_t *copy = (int16_t *)(void *)(scratch + 4 * p->fft + 2 * p->mels);
    for (int32_t f = 0; f < p->frames; f++, output += p->bands) {
        const int32_t begin = f * p->hop - p->lead, last = p->samples - 1;
        const int16_t *frame = copy;
        if (begin < 0 || begin + p->window_size > p->samples) { /* over an edge: the recording goes on as its mirror image */
            for (int32_t i = 0; i < p->window_size; i++) {
                const int32_t place = begin + i < 0 ? -(begin + i) : begin + i;
                copy[i] = input[place <= last ? place : 2 * last - place];
            }
        } else
            frame = input + begin;
        tc_frame(p, frame, output, scratch);
    }
}
