/* SPDX-License-Identifier: Apache-2.0 */
#include "matvec.h"

/* Eight floats that the compiler keeps in registers of the machine, whatever their width. */
typedef float eight __attribute__((vector_size(32)));
typedef float eight_anywhere __attribute__((vector_size(32), aligned(4), may_alias));

static inline eight load(const float *p) { return *(const eight_anywhere *)p; }
static inline void store(float *p, eight v) { *(eight_anywhere *)p = v; }

/* Four panels at a time share every x, and their sums need not wait for each other. They lie a quarter of the matrix apart: four long
 * streams, which memory delivers faster than short ones. */
static void dense(const tn_matrix *m, const float *x, float *y)
{
    const float *w = m->weights;
    const int32_t columns = m->panels ? m->starts[1] : 0, quarter = m->panels / 4;
    const int64_t panel = (int64_t)columns * TN_PANEL, apart = quarter * panel;
    int32_t p = 0;
    for (; p < quarter; p++, w += panel) {
        eight y0 = {0}, y1 = {0}, y2 = {0}, y3 = {0};
        for (int32_t j = 0; j < columns; j++) {
            const float *part = w + j * TN_PANEL;
            y0 += load(part) * x[j];
            y1 += load(part + apart) * x[j];
            y2 += load(part + 2 * apart) * x[j];
            y3 += load(part + 3 * apart) * x[j];
        }
        store(y + p * TN_PANEL, y0);
        store(y + (p + quarter) * TN_PANEL, y1);
        store(y + (p + 2 * quarter) * TN_PANEL, y2);
        store(y + (p + 3 * quarter) * TN_PANEL, y3);
    }
    for (p = 4 * quarter, w += 3 * apart; p < m->panels; p++, w += panel) {
        eight sum = {0};
        for (int32_t j = 0; j < columns; j++)
            sum += load(w + j * TN_PANEL) * x[j];
        store(y + p * TN_PANEL, sum);
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
