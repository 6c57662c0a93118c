// Choosing tokens on the card, so that only their ids come back.
//
// argmax   (const f32* logits, i32* target, i32 width)  The first of the largest of each row; -1 where none is finite, one is NaN
//          or one is +infinity. Grid: rows, blocks of up to 1024 threads.
// sample   (f32* logits, const SampleRow* rows, const i32* penalty_tokens, const i32* penalty_counts, const i32* bias_tokens,
//          const f32* bias_values, i32* target, i32 width)
//          transformers' order, as Sampling/Sampler.cs: bias and penalties (which stay in the logits), temperature, top_k, top_p,
//          min_p, a draw that depends on seed and position alone; target as argmax. Tokens of a row's lists are distinct.
//          Grid: rows, 1024 threads.
//
// Nothing is sorted. A probability's weight is exp(score - max) as an integer of 2^-44, so sums have no order: the k-th score,
// the edge of top_p and the token that a draw falls on are found by three passes over the row that each narrow the sortable score
// by 11 bits with a histogram. Weights below 2^-44 of the best one count as none. Traffic: 4 bytes a logit per pass, at most 11
// passes, all but the first from the second cache.
#include "prelude.cuh"

struct alignas(16) SampleRow
{
    i64 seed;
    i32 position, top_k;                        // top_k: 0 for all
    f32 temperature, top_p, min_p;              // colder than 1e-5: the best one
    f32 repetition, frequency, presence;        // 1, 0, 0 for none
    i32 penalties_from, penalties_to;           // of penalty_tokens, with the times each is in the reply
    i32 biases_from, biases_to;                 // of bias_tokens
    i32 unused0, unused1;
};

// Larger scores first, equal ones by the lower id: one sortable number. -0 equals 0.
DEV u32 sortable(f32 score)
{
    u32 bits = bits_of(score + 0.0f);
    return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

constexpr u32 sortable_infinity = 0xff800000, sortable_lowest = 0x00800000;  // of +infinity, of the lowest finite number
constexpr int bins_max = 2048;

struct Shared
{
    u64 bins[bins_max];
    u64 parts[32];
    u64 before, weight;
    u32 digit;
};

DEV u64 larger(u64 a, u64 b) { return a > b ? a : b; }
DEV u64 shuffle64(u64 v, int lane) { return (u64)shuffle((u32)(v >> 32), lane) << 32 | shuffle((u32)v, lane); }
DEV u64 shuffle64_xor(u64 v, int mask) { return (u64)shuffle_xor((u32)(v >> 32), mask) << 32 | shuffle_xor((u32)v, mask); }

template <class F> DEV u64 warp_fold(u64 v, F f)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        v = f(v, shuffle64_xor(v, mask));
    return v;
}

template <class F> DEV u64 block_fold(u64 v, u64* parts, F f)
{
    int warps = (int)blockDim.x / warp_size, lane = (int)threadIdx.x % warp_size;
    v = warp_fold(v, f);
    if (lane == 0)
        parts[threadIdx.x / warp_size] = v;
    block_barrier();
    v = warp_fold(lane < warps ? parts[lane] : 0, f);
    block_barrier();
    return v;
}

// The sortable score and the complement of the id of the best; NaN is above everything.
DEV u64 best_of(const f32* scores, int width, u64* parts)
{
    u64 best = 0;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        f32 x = scores[i];
        best = larger(best, x == x ? (u64)sortable(x) << 32 | ~(u32)i : ~(u64)0);
    }
    return block_fold(best, parts, [](u64 a, u64 b) { return larger(a, b); });
}

DEV bool finite(u64 best) { return (u32)(best >> 32) < sortable_infinity && (u32)(best >> 32) >= sortable_lowest; }

KERNEL(argmax, 1024, (const f32* logits, i32* target, i32 width),
{
    SHARED(u64[32], parts);
    u64 best = best_of(logits + (i64)blockIdx.x * width, width, parts);
    if (threadIdx.x == 0)
        target[blockIdx.x] = finite(best) ? (i32)~(u32)best : -1;
})

// A row's scores after the temperature, and what is left of them.
struct Scores
{
    const f32* logits;
    int width;
    f32 temperature, max;
    u32 lowest;  // sortable score below which nothing is left

    DEV f32 score(int i) const { return temperature == 1 ? logits[i] : divide(logits[i], temperature); }
    DEV u32 key(int i) const { return sortable(score(i)); }
    DEV u64 mass(f32 score) const { return (u64)(exponential(score - max) * 17592186044416.0f); }
    DEV u64 mass_left(int i) const
    {
        f32 s = score(i);
        return sortable(s) >= lowest ? mass(s) : 0;
    }
};

struct Counted
{
    const Scores& scores;

    DEV u64 operator()(int i) const { return scores.key(i) >= scores.lowest ? 1 : 0; }
};

struct Weighed
{
    const Scores& scores;

    DEV u64 operator()(int i) const { return scores.mass_left(i); }
};

template <class Weight> DEV u64 total(const Scores& scores, Weight weight, Shared& shared)
{
    u64 sum = 0;
    for (int i = (int)threadIdx.x; i < scores.width; i += (int)blockDim.x)
        sum += weight(i);
    return block_fold(sum, shared.parts, [](u64 a, u64 b) { return a + b; });
}

// The first warp finds the bin, from the highest down, in which the running sum reaches the target (at least 1, at most all).
DEV void find_bin(Shared& shared, int bins, u64 target)
{
    int lane = (int)threadIdx.x, each = bins / warp_size, top = bins - 1 - lane * each;
    u64 own = 0;
    for (int i = 0; i < each; i++)
        own += shared.bins[top - i];
    u64 sum = own;
    for (int step = 1; step < warp_size; step <<= 1) {
        u64 other = shuffle64(sum, lane >= step ? lane - step : lane);
        sum += lane >= step ? other : 0;
    }
    u64 before = sum - own;
    if (before >= target || sum < target)
        return;
    int bin = top;
    while (before + shared.bins[bin] < target)
        before += shared.bins[bin--];
    shared.before = before;
    shared.weight = shared.bins[bin];
    shared.digit = (u32)bin;
}

struct Found { u32 key; u64 before, weight; };  // a score, what is above it, and what all that are equal to it weigh

// The score at which the sum of weights, from the best down, reaches the target.
template <class Weight> DEV Found descend(const Scores& scores, u64 target, Weight weight, Shared& shared)
{
    Found found{0, 0, 0};
    for (int pass = 0; pass < 3; pass++) {
        int shift = pass == 0 ? 21 : pass == 1 ? 10 : 0, bins = pass == 2 ? 1024 : bins_max;
        for (int i = (int)threadIdx.x; i < bins; i += (int)blockDim.x)
            shared.bins[i] = 0;
        block_barrier();
        for (int i = (int)threadIdx.x; i < scores.width; i += (int)blockDim.x) {
            u32 key = scores.key(i);
            bool inside = pass == 0 || key >> (pass == 1 ? 21 : 10) == found.key;
            u64 w = inside ? weight(i) : 0;
            if (w > 0)
                atomic_add(&shared.bins[key >> shift & (u32)(bins - 1)], w);
        }
        block_barrier();
        if (threadIdx.x < warp_size)
            find_bin(shared, bins, target - found.before);
        block_barrier();
        found.key = found.key << (pass == 2 ? 10 : 11) | shared.digit;
        found.before += shared.before;
        found.weight = shared.weight;
        block_barrier();
    }
    return found;
}

// The first id at which the running sum of weights, in the order of ids, exceeds the target (below the total).
template <class Weight> DEV int find_id(const Scores& scores, u64 target, Weight weight, Shared& shared)
{
    int warps = (int)blockDim.x / warp_size, warp = (int)threadIdx.x / warp_size, lane = (int)threadIdx.x % warp_size;
    int each = (scores.width + warps - 1) / warps, from = warp * each,
        to = from + each < scores.width ? from + each : scores.width;
    u64 sum = 0;
    for (int i = from + lane; i < to; i += warp_size)
        sum += weight(i);
    sum = warp_fold(sum, [](u64 a, u64 b) { return a + b; });
    if (lane == 0)
        shared.parts[warp] = sum;
    block_barrier();
    u64 before = 0;
    for (int w = 0; w < warp; w++)
        before += shared.parts[w];
    if (before <= target && before + sum > target)
        for (int first = from; first < to; first += warp_size) {
            u64 own = first + lane < to ? weight(first + lane) : 0, running = own;
            for (int step = 1; step < warp_size; step <<= 1) {
                u64 other = shuffle64(running, lane >= step ? lane - step : lane);
                running += lane >= step ? other : 0;
            }
            u32 beyond = ballot(before + running > target);
            if (beyond != 0) {
                int lowest = 0;
                while (!(beyond >> lowest & 1))
                    lowest++;
                if (lane == 0)
                    shared.digit = (u32)(first + lowest);
                break;
            }
            before += shuffle64(running, warp_size - 1);
        }
    block_barrier();
    int id = (int)shared.digit;
    block_barrier();
    return id;
}

struct Equal
{
    const Scores& scores;
    u32 key;

    DEV u64 operator()(int i) const { return scores.key(i) == key ? 1 : 0; }
};

DEV u64 mix(u64 z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

// Uniform in [0, 1), 53 bits: Sampling/CounterRandom.cs.
DEV double draw_of(i64 seed, int position)
{
    u64 stream = mix((u64)seed + 0x9E3779B97F4A7C15ull);
    return (double)(mix(stream + ((u64)position + 1) * 0x9E3779B97F4A7C15ull) >> 11) * (1.0 / 9007199254740992.0);
}

DEV void penalize(f32* logits, const SampleRow& row, const i32* penalty_tokens, const i32* penalty_counts, const i32* bias_tokens,
    const f32* bias_values)
{
    for (int i = row.biases_from + (int)threadIdx.x; i < row.biases_to; i += (int)blockDim.x)
        logits[bias_tokens[i]] += bias_values[i];
    block_barrier();
    for (int i = row.penalties_from + (int)threadIdx.x; i < row.penalties_to; i += (int)blockDim.x) {
        f32 x = logits[penalty_tokens[i]];
        x = x < 0 ? x * row.repetition : divide(x, row.repetition);
        if (penalty_counts[i] > 0)
            x -= row.frequency * (f32)penalty_counts[i] + row.presence;
        logits[penalty_tokens[i]] = x;
    }
    block_barrier();
}

// The token that a draw falls on among what top_k, top_p and min_p leave.
DEV int choose(Scores& scores, const SampleRow& row, double draw, Shared& shared)
{
    scores.lowest = sortable_lowest;
    if (row.top_k > 0 && row.top_k < scores.width) {
        u64 count = total(scores, Counted{scores}, shared);
        scores.lowest = descend(scores, (u64)row.top_k < count ? (u64)row.top_k : count, Counted{scores}, shared).key;
    }
    bool nucleus = row.top_p < 1;
    u64 all = total(scores, Weighed{scores}, shared), left = all;
    if (nucleus) {
        // The smallest set of the best whose mass reaches the target; masses that differ by a millionth are equal.
        double wanted = (double)row.top_p * (double)all * (1 - 1e-6);
        u64 target = (u64)wanted + ((double)(u64)wanted < wanted ? 1 : 0);
        target = target < 1 ? 1 : target > all ? all : target;
        Found edge = descend(scores, target, Weighed{scores}, shared);
        u64 equals = total(scores, Equal{scores, edge.key}, shared), mass = edge.weight / equals;
        u64 kept = (target - edge.before + mass - 1) / mass;
        scores.lowest = edge.key;
        left = edge.before + kept * mass;
    }
    if (row.min_p > 0) {
        u32 least = sortable(scores.max + logarithm2(row.min_p) * 0.6931471805599453f);
        if (least > scores.lowest) {
            scores.lowest = least;
            left = total(scores, Weighed{scores}, shared);
        }
    }
    u64 target = (u64)(draw * (double)left);
    target = target < left ? target : left - 1;
    if (!nucleus)
        return find_id(scores, target, Weighed{scores}, shared);
    Found found = descend(scores, target + 1, Weighed{scores}, shared);
    u64 mass = found.weight / total(scores, Equal{scores, found.key}, shared);
    return find_id(scores, (target - found.before) / mass, Equal{scores, found.key}, shared);
}

KERNEL(sample, 1024, (f32* logits, const SampleRow* rows, const i32* penalty_tokens, const i32* penalty_counts,
    const i32* bias_tokens, const f32* bias_values, i32* target, i32 width),
{
    SHARED(Shared, shared);
    SampleRow row = rows[blockIdx.x];
    f32* own = logits + (i64)blockIdx.x * width;
    penalize(own, row, penalty_tokens, penalty_counts, bias_tokens, bias_values);
    u64 best = best_of(own, width, shared.parts);
    int token = finite(best) ? (i32)~(u32)best : -1;
    if (token >= 0 && row.temperature >= 1e-5f) {
        Scores scores{own, width, row.temperature, 0, 0};
        scores.max = scores.score(token);
        token = choose(scores, row, draw_of(row.seed, row.position), shared);
    }
    if (threadIdx.x == 0)
        target[blockIdx.x] = token;
})
