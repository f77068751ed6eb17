/* SPDX-License-Identifier: Apache-2.0
 * Writes down what a file holds, as raw integers of this computer: ${what}. */
#include <stdio.h>

#include "words.h"
#include "model.h"

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: %s FILE, which holds ${what}\n", arguments[0]);
        return 1;
    }
    model_reset();
    int32_t said = 0;
    while (fread(model_input(), MODEL_INPUT_BYTES, 1, file) == 1) {
        model_run();
        for (; said < model_count(); said++) {
            const char *word = words[model_labels()[said % MODEL_KEPT]];
            printf("%s", said == 0 && *word == ' ' ? word + 1 : word);
        }
    }
    printf("\n");
    fclose(file);
    return 0;
}
