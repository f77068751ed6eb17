/* SPDX-License-Identifier: Apache-2.0
 * Rounding, as the definition has it: add half, arithmetic shift right. */
#include "fixed_point.h"

int32_t tc_round_shift_64(int64_t value, int32_t shift)
{
    const int32_t limit = INT32_C(1) << 30; /* leaves room to add a zero point */
    const int64_t rounded = (value + (INT64_C(1) << (shift - 1))) >> shift;
    return rounded > limit ? limit : rounded < -limit ? -limit : (int32_t)rounded;
}
