/* SPDX-License-Identifier: Apache-2.0
 * The model, by the name of the library. */
#ifndef ${guard}
#define ${guard}

#include "model.h"

#endif
