/* SPDX-License-Identifier: Apache-2.0
 * Recurrent cells in float. Those in integers are in codegen/kernels/recurrent.c: this computer runs what a chip runs. */
#include "matvec.h"

/* e^x within a few units in the last place, for x between -80 and 80: 2 to the whole part of x / ln 2 goes into the exponent, a series
 * takes the rest. Written so that the compiler computes many at once. */
static inline float exponential(float x)
{
    const float limited = x < -80.0f ? -80.0f : x > 80.0f ? 80.0f : x, scaled = limited * 1.44269504f;
    const float whole = (scaled + 12582912.0f) - 12582912.0f, r = scaled - whole; /* -1/2 to 1/2 */
    float y = 1.5403530e-4f;
    y = y * r + 1.3333558e-3f;
    y = y * r + 9.6181291e-3f;
    y = y * r + 5.5504109e-2f;
    y = y * r + 2.4022651e-1f;
    y = y * r + 6.9314718e-1f;
    y = y * r + 1.0f;
    int32_t bits;
    __builtin_memcpy(&bits, &y, 4);
    bits += (int32_t)whole * (1 << 23);
    __builtin_memcpy(&y, &bits, 4);
    return y;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }
static inline float tangent(float x) { return 2.0f / (1.0f + exponential(-2.0f * x)) - 1.0f; }
static inline float within(float x, float limit) { return x < -limit ? -limit : x > limit ? limit : x; }

void tn_gates(const float *x, const float *h, int32_t count, const float *bias, float *z)
{
    for (int32_t i = 0; i < count; i++)
        z[i] = (x[i] + (h ? h[i] : 0.0f)) + (bias ? bias[i] : 0.0f);
}

void tn_layer_norm(int32_t gates, int32_t units, float epsilon, const float *scale, const float *bias, float *z)
{
    for (int32_t g = 0; g < gates; g++, z += units, scale += units, bias += units) {
        double sum = 0.0, squares = 0.0;
        for (int32_t u = 0; u < units; u++) {
            sum += z[u];
            squares += (double)z[u] * z[u];
        }
        const float mean = (float)(sum / units), variance = (float)(squares / units - sum / units * (sum / units));
        const float inverse = 1.0f / __builtin_sqrtf(variance + epsilon);
        for (int32_t u = 0; u < units; u++)
            z[u] = (z[u] - mean) * inverse * scale[u] + bias[u];
    }
}

void tn_lstm(const float *z, int32_t units, float limit, float *c, float *h)
{
    const float *g = z, *i = g + units, *f = i + units, *o = f + units;
    for (int32_t u = 0; u < units; u++) {
        c[u] = within(sigmoid(f[u]) * c[u] + sigmoid(i[u]) * tangent(g[u]), limit);
        h[u] = sigmoid(o[u]) * tangent(c[u]);
    }
}

void tn_cifg(const float *z, int32_t units, float limit, float *c, float *h)
{
    const float *g = z, *f = g + units, *o = f + units;
    for (int32_t u = 0; u < units; u++) {
        const float keep = sigmoid(f[u]);
        c[u] = within(keep * c[u] + (1.0f - keep) * tangent(g[u]), limit);
        h[u] = sigmoid(o[u]) * tangent(c[u]);
    }
}

void tn_sru(const float *z, int32_t units, float limit, float *c, float *h)
{
    const float *g = z, *n = g + units, *f = n + units, *r = f + units;
    (void)limit; /* a mean cannot grow */
    for (int32_t u = 0; u < units; u++) {
        const float keep = sigmoid(f[u]), share = sigmoid(r[u]);
        c[u] = keep * c[u] + (1.0f - keep) * g[u];
        h[u] = share * tangent(c[u]) + (1.0f - share) * n[u];
    }
}
