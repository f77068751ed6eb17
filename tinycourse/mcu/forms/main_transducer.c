/* SPDX-License-Identifier: Apache-2.0
 * Writes down a recording from a file: frames of MODEL_FEATURES features, int8, one after the other. */
#include <stdio.h>

#include "words.h"
#include "model.h"

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: %s FILE, which holds frames of %d features, int8\n", arguments[0], MODEL_FEATURES);
        return 1;
    }
    model_reset();
    int32_t said = 0;
    while (fread(model_input(), MODEL_FEATURES, 1, file) == 1) {
        model_run();
        for (; said < model_count(); said++)
            printf("%s", words[model_labels()[said % MODEL_KEPT]]);
    }
    printf("\n");
    fclose(file);
    return 0;
}
