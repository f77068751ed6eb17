/* SPDX-License-Identifier: Apache-2.0
 * From floats to int8 before a product, and from int32 sums to floats or int16 after it. */
#include "matvec.h"

/* Adding and taking away 1.5 * 2^23 leaves no bits for a fraction: rounds to nearest, ties to even, for |x| < 2^22. */
static inline float round_even(float x) { return (x + 12582912.0f) - 12582912.0f; }

float tn_quantize(const float *x, int32_t count, int8_t *q)
{
    float largest = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float size = x[i] < 0.0f ? -x[i] : x[i];
        largest = size > largest ? size : largest;
    }
    const float step = largest / 127.0f > 0.0f ? largest / 127.0f : 1.0f; /* the smallest numbers divide to 0 */
    for (int32_t i = 0; i < count; i++)
        q[i] = (int8_t)round_even(x[i] / step);
    return step;
}

void tn_hybrid(const tn_matrix *m, const float *scale, const float *x, int32_t count, int8_t *q, int32_t *sums, float *y)
{
    const float step = tn_quantize(x, count, q);
    tn_sums(m, q, sums);
    for (int32_t r = 0; r < m->panels * TN_PANEL; r++)
        y[r] = (float)sums[r] * (scale[r] * step);
}

void tn_integer(const tn_matrix *m, const tn_rescale *r, const int8_t *x, int32_t *sums, int16_t *y)
{
    const int32_t left = r->left, zero_point = r->zero_point, minimum = r->minimum, maximum = r->maximum;
    tn_sums(m, x, sums);
    for (int32_t i = 0; i < r->rows; i++) {
        const int64_t product = (int64_t)((sums[i] + r->bias[i]) * (1 << left)) * r->multiplier[i];
        const int32_t value = ((((int32_t)(product >> 32) >> r->right[i]) + 1) >> 1) + zero_point; /* keep one bit more, add it, drop it */
        const int32_t low = value < minimum ? minimum : value;
        y[i] = (int16_t)(low > maximum ? maximum : low);
    }
}
