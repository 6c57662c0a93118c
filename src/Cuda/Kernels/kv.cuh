// Where keys and values lie (KvLayout): [block][layer][kvHead] of keys [headDim][32 positions], then values [32][valueStride].
// Keys lie across, so that tensor cores take them as the right factor of Q K^T with a transposed load, as they take values.
#pragma once
#include "prelude.cuh"

constexpr int block_tokens = 32;
constexpr int part_tokens = 256;  // flash-decoding's parts: fixed, so that a sum does not depend on the batch

struct KvShape
{
    int layers, kv_heads, head_dim, value_stride;

    DEV i64 key_elements() const { return (i64)head_dim * block_tokens; }
    DEV i64 head_elements() const { return (i64)(head_dim + value_stride) * block_tokens; }
    // Of a head's keys in the pool, in elements; its values lie key_elements behind.
    DEV i64 head_offset(int block, int layer, int head) const
    {
        return (((i64)block * layers + layer) * kv_heads + head) * head_elements();
    }
};

// One sequence of a step: its rows in the activations, the position of the first, and where its block table begins.
struct alignas(16) KvSpan { i32 first_row, rows, start, table; };

struct Visibility
{
    int window, sinks;  // window: positions a query sees, itself included; 0 for all. sinks: first positions, always seen

    DEV bool sees(int position, int key) const
    {
        return key <= position && (window == 0 || key > position - window || key < sinks);
    }
    // Whether someone at positions first..last may see one of keys from..to.
    DEV bool any(int first, int last, int from, int to) const
    {
        return from <= last && (window == 0 || to > first - window || from < sinks);
    }
};
