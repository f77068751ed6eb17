/* SPDX-License-Identifier: Apache-2.0
 * The model, for sketches, which are C++. */
#ifndef ${guard}
#define ${guard}

#ifdef __cplusplus
extern "C" {
#endif
#include "model.h"
#ifdef __cplusplus
}
#endif

#endif
