/* SPDX-License-Identifier: Apache-2.0
 * int8 times int8, summed in int32. `add_group` is the one step that differs between machines: eight sums, in a register, take
 * four products each. It works on x as four bytes in a word, the same word in every lane. */
#include "matvec.h"

#if defined(__AVX2__) && !defined(TN_PLAIN)
#include <immintrin.h>

typedef __m256i sums;

#if (defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__) || defined(TN_MODEL_VNNI)
#define TN_OFFSET 1 /* sums come out too large by `offsets` */

#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define DPBUSD _mm256_dpbusd_epi32
#elif defined(__AVXVNNI__)
#define DPBUSD _mm256_dpbusd_avx_epi32
#else
/* What the instruction does, for tests on a machine without it. */
static inline __m256i DPBUSD(__m256i sum, __m256i x, __m256i w)
{
    uint8_t a[32];
    int8_t b[32];
    int32_t s[8];
    _mm256_storeu_si256((__m256i *)a, x);
    _mm256_storeu_si256((__m256i *)b, w);
    _mm256_storeu_si256((__m256i *)s, sum);
    for (int i = 0; i < 32; i++)
        s[i / 4] += a[i] * b[i];
    return _mm256_loadu_si256((const __m256i *)s);
}
#endif

/* One instruction multiplies unsigned by signed bytes and adds four products to each lane. x + 128 is unsigned. */
static inline sums add_group(sums y, const int8_t *w, uint32_t x)
{
    const __m256i shifted = _mm256_set1_epi32((int)(x ^ 0x80808080u));
    return DPBUSD(y, shifted, _mm256_loadu_si256((const __m256i *)w));
}
#else
#define TN_OFFSET 0

/* Unsigned times signed bytes, two products added, in int16: 2 * 255 * 127 would saturate. But |x| <= 128 and the weight with
 * the sign of x is at most 127 either way: 2 * 128 * 127 = 32512 fits. */
static inline sums add_group(sums y, const int8_t *w, uint32_t x)
{
    const __m256i four = _mm256_set1_epi32((int)x);
    const __m256i signed_weights = _mm256_sign_epi8(_mm256_loadu_si256((const __m256i *)w), four);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(four), signed_weights);
    return _mm256_add_epi32(y, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif

static inline sums zero(void) { return _mm256_setzero_si256(); }
static inline sums together(sums a, sums b) { return _mm256_add_epi32(a, b); }
static inline void store(int32_t *y, sums v, const int32_t *offsets)
{
    if (TN_OFFSET)
        v = _mm256_sub_epi32(v, _mm256_loadu_si256((const __m256i *)offsets));
    _mm256_storeu_si256((__m256i *)y, v);
}

#else /* for every other processor: vectors as the compiler knows them, in whatever instructions there are */
#pragma GCC diagnostic ignored "-Wpsabi" /* how to return a wide vector differs between processors; these functions are inlined */

typedef int8_t bytes __attribute__((vector_size(32)));
typedef int16_t halves __attribute__((vector_size(64)));
typedef uint32_t words __attribute__((vector_size(32))), wide_words __attribute__((vector_size(64)));
typedef int32_t sums __attribute__((vector_size(64))); /* two for each row: lanes 2 r and 2 r + 1 */

/* A product of two int8 fits into 16 bits. Lanes of 32 bits hold two of them: shift out one, then the other, and add both. */
static inline sums add_group(sums y, const int8_t *w, uint32_t x)
{
    const words four = {x, x, x, x, x, x, x, x};
    bytes weights;
    __builtin_memcpy(&weights, w, sizeof weights);
    const sums products = (sums)(__builtin_convertvector(weights, halves) * __builtin_convertvector((bytes)four, halves));
    const sums lower = (sums)((wide_words)products << 16) >> 16;
    return y + lower + (products >> 16);
}

static inline sums zero(void) { return (sums){0}; }
static inline sums together(sums a, sums b) { return a + b; }
static inline void store(int32_t *y, sums v, const int32_t *offsets)
{
    (void)offsets;
    for (int r = 0; r < TN_PANEL; r++)
        y[r] = v[2 * r] + v[2 * r + 1];
}
#endif

enum { STEP = TN_PANEL * TN_GROUP }; /* bytes of a group */

static inline uint32_t word(const void *address)
{
    uint32_t bytes;
    __builtin_memcpy(&bytes, address, 4);
    return bytes;
}

static inline void put(const tn_matrix *m, int32_t panel, sums v, int32_t *y)
{
    store(y + panel * TN_PANEL, v, m->offsets + panel * TN_PANEL);
}

/* Four bytes of x from four places, as one word, in four loads. In `spread` every x is the fourth of four bytes, after three zeros. Four
 * bytes from its place on hold x as byte 0 and three zeros of the next; one byte earlier they hold it as byte 1, and so on. */
static inline uint32_t chosen(const uint32_t *spread, const uint16_t *c)
{
    const uint8_t *bytes = (const uint8_t *)spread;
    return word(bytes + 4 * c[0] + 3) | word(bytes + 4 * c[1] + 2) | word(bytes + 4 * c[2] + 1) | word(bytes + 4 * c[3]);
}

/* Four panels at a time share every x, and their sums need not wait for each other. They lie a quarter of the matrix apart: four long
 * streams, which memory delivers faster than short ones. */
static void dense(const tn_matrix *m, const int8_t *x, int32_t *y)
{
    const int8_t *w = m->weights;
    const int32_t groups = m->panels ? m->starts[1] : 0, quarter = m->panels / 4;
    const int64_t panel = (int64_t)groups * STEP, apart = quarter * panel;
    int32_t p = 0;
    for (; p < quarter; p++, w += panel) {
        sums y0 = zero(), y1 = zero(), y2 = zero(), y3 = zero();
        for (int32_t g = 0; g < groups; g++) {
            const int8_t *part = w + g * STEP;
            const uint32_t four = word(x + g * TN_GROUP);
            y0 = add_group(y0, part, four);
            y1 = add_group(y1, part + apart, four);
            y2 = add_group(y2, part + 2 * apart, four);
            y3 = add_group(y3, part + 3 * apart, four);
        }
        put(m, p, y0, y);
        put(m, p + quarter, y1, y);
        put(m, p + 2 * quarter, y2, y);
        put(m, p + 3 * quarter, y3, y);
    }
    for (p = 4 * quarter, w += 3 * apart; p < m->panels; p++, w += panel) {
        sums sum = zero();
        for (int32_t g = 0; g < groups; g++)
            sum = add_group(sum, w + g * STEP, word(x + g * TN_GROUP));
        put(m, p, sum, y);
    }
}

static void sparse(const tn_matrix *m, const int8_t *x, int32_t *y)
{
    const int8_t *w = m->weights;
    const uint16_t *column = m->columns;
    for (int32_t j = 0; j < m->inputs; j++)
        m->spread[j] = (uint32_t)(uint8_t)x[j] << 24;
    m->spread[m->inputs] = 0;
    for (int32_t p = 0; p < m->panels; p++) {
        int32_t count = m->starts[p + 1] - m->starts[p];
        sums even = zero(), odd = zero();
        for (; count >= 2; count -= 2, w += 2 * STEP, column += 2 * TN_GROUP) {
            even = add_group(even, w, chosen(m->spread, column));
            odd = add_group(odd, w + STEP, chosen(m->spread, column + TN_GROUP));
        }
        for (; count > 0; count--, w += STEP, column += TN_GROUP)
            even = add_group(even, w, chosen(m->spread, column));
        put(m, p, together(even, odd), y);
    }
}

void tn_sums(const tn_matrix *m, const int8_t *x, int32_t *y)
{
    if (m->columns)
        sparse(m, x, y);
    else
        dense(m, x, y);
}
