// What a mixture of experts and some families need beside.
//
// route      (const f32* scores, const f32* corrections, i32* chosen, f32* weights, i32 experts, i32 per_row, i32 sigmoids,
//             i32 normalize, f32 scale, i32 groups, i32 groups_chosen)
//            Each row of scores [rows, experts] chooses per_row experts: probabilities (a softmax, or sigmoids), plus corrections
//            (null: none) for the choice alone; only experts of the best groups, by the sum of a group's two best, are chosen
//            before the others. weights are the chosen ones' probabilities, made to add up to 1 if normalize, times scale. Of
//            equals the first is chosen. Up to 1024 experts and 32 groups. Grid: rows, 32 threads.
// clip       (f32* x, f32 limit, i64 count)  into [-limit, limit]. Grid: any, 128 threads.
// add_rows   (const f32* source, const f32* gates, f32* target, i64 count, i32 width, f32 scale)
//            target += source * scale (* sigmoid(gates[row]), null: 1). Grid: any, 128 threads.
#include "prelude.cuh"

constexpr int experts_max = 1024;
constexpr int groups_max = 32;

struct Best { f32 value; int index; };

DEV Best better(Best a, Best b) { return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a; }

// The first of the largest, the same in every lane.
DEV Best warp_best(Best best)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        best = better(best, Best{shuffle_xor(best.value, mask), (int)shuffle_xor((u32)best.index, mask)});
    return best;
}

// Takes the best of x out of it.
DEV int take_best(f32* x, int count, int lane)
{
    Best best{minus_infinity(), count};
    for (int i = lane; i < count; i += warp_size)
        best = better(best, Best{x[i], i});
    best = warp_best(best);
    warp_barrier();
    if (lane == 0 && best.index < count)
        x[best.index] = minus_infinity();
    warp_barrier();
    return best.index;
}

DEV void probabilities(const f32* scores, f32* p, int experts, int lane, bool sigmoids)
{
    if (sigmoids) {
        for (int i = lane; i < experts; i += warp_size)
            p[i] = sigmoid(scores[i]);
        return;
    }
    f32 most = minus_infinity(), sum = 0;
    for (int i = lane; i < experts; i += warp_size)
        most = larger(most, scores[i]);
    most = warp_max(most);
    for (int i = lane; i < experts; i += warp_size) {
        p[i] = exponential(scores[i] - most);
        sum += p[i];
    }
    sum = warp_sum(sum);
    for (int i = lane; i < experts; i += warp_size)
        p[i] = divide(p[i], sum);
}

// Experts of groups that are not chosen get 0: they can still be chosen before negative ones.
DEV void hide_groups(f32* choice, f32* group_scores, int experts, int groups, int groups_chosen, int lane)
{
    int size = experts / groups;
    if (lane < groups) {
        f32 first = minus_infinity(), second = minus_infinity();
        for (int i = lane * size; i < (lane + 1) * size; i++) {
            f32 x = choice[i];
            second = x > first ? first : larger(second, x);
            first = larger(first, x);
        }
        group_scores[lane] = first + second;
    }
    warp_barrier();
    u32 kept = 0;
    for (int i = 0; i < groups_chosen; i++)
        kept |= 1u << take_best(group_scores, groups, lane);
    for (int i = lane; i < experts; i += warp_size)
        if (!(kept >> i / size & 1))
            choice[i] = 0;
    warp_barrier();
}

KERNEL(route, 32, (const f32* scores, const f32* corrections, i32* chosen, f32* weights, i32 experts, i32 per_row, i32 sigmoids,
    i32 normalize, f32 scale, i32 groups, i32 groups_chosen),
{
    SHARED(f32[experts_max], p);
    SHARED(f32[experts_max], choice);
    SHARED(f32[groups_max], group_scores);
    int lane = (int)threadIdx.x;
    i64 row = blockIdx.x;
    probabilities(scores + row * experts, p, experts, lane, sigmoids != 0);
    for (int i = lane; i < experts; i += warp_size)
        choice[i] = p[i] + (corrections ? corrections[i] : 0.0f);
    warp_barrier();
    if (groups > 1)
        hide_groups(choice, group_scores, experts, groups, groups_chosen, lane);
    f32 sum = 0;
    for (int i = 0; i < per_row; i++) {
        int expert = take_best(choice, experts, lane);
        sum += p[expert];
        if (lane == 0) {
            chosen[row * per_row + i] = expert;
            weights[row * per_row + i] = p[expert];
        }
    }
    warp_barrier();
    f32 factor = normalize ? divide(scale, sigmoids ? sum + 1e-20f : sum) : scale;
    for (int i = lane; i < per_row; i += warp_size)
        weights[row * per_row + i] *= factor;
})

KERNEL(clip, 128, (f32* x, f32 limit, i64 count),
{
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
})

KERNEL(add_rows, 128, (const f32* source, const f32* gates, f32* target, i64 count, i32 width, f32 scale),
{
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
        target[i] = fused(source[i], gates ? scale * sigmoid(gates[i / width]) : scale, target[i]);
})
