/* SPDX-License-Identifier: Apache-2.0
 * Takes a file of any length, which holds samples and nothing else: 16 bits as this computer has them, mono, MODEL_RATE a second.
 * Prints every word that fires: the second, the word, its mean posterior. */
#include <stdio.h>

#include "words.h"
#include "model.h"

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: %s FILE, which holds samples, 16 bits, mono, %d a second\n", arguments[0], MODEL_RATE);
        return 1;
    }
    model_reset();
    for (long chunk = 1; fread(model_input(), sizeof(int16_t), MODEL_CHUNK, file) == MODEL_CHUNK; chunk++) {
        model_run();
        const int16_t *heard = model_output();
        if (heard[0] >= 0)
            printf("%.2f %s %.5f\n", (double)chunk * MODEL_CHUNK / MODEL_RATE, words[heard[0]], heard[1] / 16384.0);
    }
    fclose(file);
    return 0;
}
