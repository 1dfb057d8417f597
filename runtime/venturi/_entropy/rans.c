/* Interleaved rANS in C: what numpy_kernel.py does, bit for bit, with one symbol after the other.
 *
 * Loaded with ctypes, so it needs no header but C's own and the GIL is free while it runs. It keeps
 * no state of its own: threads may call it at once, each with buffers of its own. Words and states
 * come from hostile bytes; every access that they steer is checked. The tables are checked in Python.
 */
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum { VERSION = 2, MAX_LANES = 256, MAX_FOLDS = 8, BUCKET_BITS = 8 };
enum { OK = 0, OUT_OF_WORDS = 1, BAD_FOLD = 2, NOT_ZERO = 3, MISUSE = 4 };

static const uint32_t WORD = 65536;

EXPORT int32_t venturi_rans_version(void) { return VERSION; }

/* Find the entries of the tables that symbols stand for; those of empty tables are 0 and have none.
 *
 * radius, zero: per table; cost: per entry.
 * entries, escapes: room for one for each symbol; the numbers that stand for what no table has.
 * result: how many entries, how many escapes, and what the entries cost.
 */
EXPORT int32_t venturi_rans_entries(const int32_t *symbols, const uint8_t *index, int64_t count,
                                    const int32_t *radius, const int64_t *zero, int64_t tables,
                                    const int64_t *cost, int64_t *entries, int64_t *escapes,
                                    int64_t *result) {
    int64_t found = 0, escaped = 0, total = 0;
    for (int64_t at = 0; at < count; at++) {
        const int64_t table = index[at], symbol = symbols[at];
        if (table >= tables) return MISUSE;
        const int64_t reach = radius[table], size = symbol < 0 ? -symbol : symbol;
        if (!reach && symbol) return NOT_ZERO;
        if (!reach) continue;
        int64_t entry = zero[table] + symbol;
        if (size > reach) {
            entry = zero[table] + reach + 1;
            escapes[escaped++] = 2 * (size - reach - 1) + (symbol < 0);
        }
        entries[found++] = entry;
        total += cost[entry];
    }
    result[0] = found;
    result[1] = escaped;
    result[2] = total;
    return OK;
}

/* Code entries[0..ends[segments - 1]) backwards.
 *
 * frequency, start: per entry of the tables, `known` of them.
 * states: room for 256; rows: room for 9, filled in the order of encoding.
 * words: room for one for each symbol; filled from its end.
 * result: the lanes in the end, and where in words the first one is.
 */
EXPORT int32_t venturi_rans_encode(const int64_t *entries, const uint32_t *frequency,
                                   const uint32_t *start, int64_t known, const int64_t *ends,
                                   int64_t segments, int64_t lanes, uint32_t *states,
                                   uint32_t *rows, uint16_t *words, int64_t *result) {
    if (segments < 0 || lanes < 1 || lanes > MAX_LANES) return MISUSE;
    const int64_t symbols = segments ? ends[segments - 1] : 0;
    int64_t width = 1, position = symbols;
    states[0] = 0;
    rows[0] = 0;
    for (int64_t segment = segments - 1; segment >= 0; segment--) {
        const int64_t first = segment ? ends[segment - 1] : 0;
        int64_t last = ends[segment];
        if (first < 0 || first > last || last > symbols) return MISUSE;
        while (last > first) {
            const int64_t begin = first + (last - 1 - first) / width * width;
            for (int64_t lane = last - begin - 1; lane >= 0; lane--) {
                const int64_t entry = entries[begin + lane];
                if (entry < 0 || entry >= known) return MISUSE;
                const uint32_t f = frequency[entry];
                uint32_t state = states[lane];
                if (f < 1 || f >= WORD) return MISUSE;
                if (state >= f << 16) {
                    words[--position] = (uint16_t)state;
                    state >>= 16;
                }
                states[lane] = (state / f << 16) + state % f + start[entry];
            }
            ++*rows;
            last = begin;
            if (width < lanes && last && (last - first) % (2 * width) == 0 &&
                symbols - position >= width) {
                for (int64_t lane = 0; lane < width; lane++)
                    states[width + lane] = WORD + words[position + lane];
                position += width;
                width *= 2;
                *++rows = 0;
            }
        }
    }
    result[0] = width;
    result[1] = position;
    return OK;
}

/* Decode the next segment: `count` symbols, whose tables are index.
 *
 * control: lanes now, where the next word is, where the words end, folds to come, and how many
 *     symbols of the segment are escaped; updated.
 * states: 256; rows: per fold to come the rows before it, the next one last; both updated.
 * words: the first 256 are room for what folds put back.
 * radius, zero: per table; buckets: per table and 256 slots, the entry of the first of them.
 * symbols: 0 where the table is empty, radius + 1 where the symbol is escaped.
 * escaped: room for one for each symbol; where those are.
 */
EXPORT int32_t venturi_rans_decode(int64_t *control, uint32_t *states, uint32_t *rows,
                                   uint16_t *words, const uint8_t *index, int64_t count,
                                   const int32_t *radius, const int64_t *zero, int64_t tables,
                                   const uint32_t *buckets, const uint32_t *frequency,
                                   const uint32_t *start, int32_t *symbols, int64_t *escaped) {
    int64_t width = control[0], position = control[1], folds = control[3], at = 0, escapes = 0;
    const int64_t end = control[2];
    if (width < 1 || width > MAX_LANES || position < 0 || position > end || folds < 0 ||
        folds > MAX_FOLDS)
        return MISUSE;
    for (;;) {
        int64_t lane = 0;
        for (; lane < width && at < count; at++) {
            const uint32_t table = index[at], slot = states[lane] & (WORD - 1);
            if (table >= tables) return MISUSE;
            if (!radius[table]) {
                symbols[at] = 0;
                continue;
            }
            uint32_t entry = buckets[(table << BUCKET_BITS) + (slot >> (16 - BUCKET_BITS))];
            while (slot - start[entry] >= frequency[entry]) entry++; /* ends: their sum is 65536 */
            uint32_t state = frequency[entry] * (states[lane] >> 16) + slot - start[entry];
            if (state < WORD) {
                if (position < end)
                    state = state << 16 | words[position++];
                else if (width > 1)
                    return OUT_OF_WORDS;
            }
            states[lane++] = state;
            symbols[at] = (int32_t)(entry - zero[table]);
            if (symbols[at] > radius[table]) escaped[escapes++] = at;
        }
        if (!lane) break; /* a row has a symbol at least */
        if (folds && --rows[folds - 1] == 0) {
            width /= 2;
            folds--;
            if (width < 1 || position < width) return MISUSE;
            for (lane = width; lane < 2 * width; lane++)
                if (states[lane] >> 16 != 1) return BAD_FOLD;
            position -= width;
            for (lane = 0; lane < width; lane++)
                words[position + lane] = (uint16_t)states[width + lane];
        }
    }
    control[0] = width;
    control[1] = position;
    control[3] = folds;
    control[4] = escapes;
    return OK;
}
