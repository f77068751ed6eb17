/* SPDX-License-Identifier: Apache-2.0 */
#include "matvec.h"

/* Eight floats that the compiler keeps in registers of the machine, whatever their width. */
typedef float eight __attribute__((vector_size(32)));
typedef float eight_anywhere __attribute__((vector_size(32), aligned(4), may_alias));

static inline eight load(const float *p) { return *(const eight_anywhere *)p; }
static inline void store(float *p, eight v) { *(eight_anywhere *)p = v; }

/* Four panels at a time share every x, and their four sums need not wait for each other. */
static void dense(const tn_matrix *m, const float *x, float *y)
{
    const float *w = m->weights;
    int32_t p = 0;
    for (; p + 4 <= m->panels; p += 4, y += 4 * TN_PANEL) {
        const int32_t columns = m->starts[p + 1] - m->starts[p];
        const float *w0 = w + (int64_t)m->starts[p] * TN_PANEL, *w1 = w0 + (int64_t)columns * TN_PANEL;
        const float *w2 = w1 + (int64_t)columns * TN_PANEL, *w3 = w2 + (int64_t)columns * TN_PANEL;
        eight y0 = {0}, y1 = {0}, y2 = {0}, y3 = {0};
        for (int32_t j = 0; j < columns; j++) {
            y0 += load(w0 + j * TN_PANEL) * x[j];
            y1 += load(w1 + j * TN_PANEL) * x[j];
            y2 += load(w2 + j * TN_PANEL) * x[j];
            y3 += load(w3 + j * TN_PANEL) * x[j];
        }
        store(y, y0);
        store(y + 8, y1);
        store(y + 16, y2);
        store(y + 24, y3);
    }
    for (; p < m->panels; p++, y += TN_PANEL) {
        eight sum = {0};
        for (int32_t g = m->starts[p]; g < m->starts[p + 1]; g++)
            sum += load(w + (int64_t)g * TN_PANEL) * x[g - m->starts[p]];
        store(y, sum);
    }
}

static void sparse(const tn_matrix *m, const float *x, float *y)
{
    const float *w = m->weights;
    const uint16_t *column = m->columns;
    for (int32_t p = 0; p < m->panels; p++, y += TN_PANEL) {
        int32_t count = m->starts[p + 1] - m->starts[p];
        eight even = {0}, odd = {0}, third = {0}, fourth = {0};
        for (; count >= 4; count -= 4, w += 4 * TN_PANEL, column += 4) {
            even += load(w) * x[column[0]];
            odd += load(w + 8) * x[column[1]];
            third += load(w + 16) * x[column[2]];
            fourth += load(w + 24) * x[column[3]];
        }
        for (; count > 0; count--, w += TN_PANEL, column++)
            even += load(w) * x[*column];
        store(y, (even + odd) + (third + fourth));
    }
}

void tn_float(const tn_matrix *m, const float *x, float *y)
{
    if (m->columns)
        sparse(m, x, y);
    else
        dense(m, x, y);
}
