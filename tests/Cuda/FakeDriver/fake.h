// What the fake driver, compiler and cuBLASLt share: cards whose memory is the machine's, and streams that run nothing until someone
// waits for it, so that a missing wait shows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace fake {

enum Result { Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, InvalidDevice = 101, InvalidContext = 201,
    InvalidHandle = 400, NotFound = 500, NotReady = 600, IllegalAddress = 700, CaptureUnsupported = 900 };

struct Device { int ordinal; size_t used = 0; };

using Work = std::function<void()>;

struct Stream
{
    Device* device;
    std::deque<Work> queue;
    uint64_t queued = 0, done = 0;
    bool is_capturing = false;
    std::vector<Work> captured;
};

struct Event { Stream* stream = nullptr; uint64_t at = 0; bool timing = false; };

// One at a time, whoever calls.
extern std::recursive_mutex gate;

// Runs the stream's work up to a number, or all.
void run(Stream* stream, uint64_t until = UINT64_MAX);

// Queues work, or records it while the stream is captured.
void submit(Stream* stream, Work work);

// Whether [p, p + bytes) lies in one allocation of a card, or in pinned memory.
bool is_device(uint64_t p, size_t bytes);

// Ends the process with a word: a mistake that a real card would punish later and elsewhere.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace fake
