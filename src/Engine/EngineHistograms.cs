using System.Diagnostics.Metrics;
using Hearth.Engine.Scheduling;

namespace Hearth.Engine;

/// <summary>How long sequences take for their parts, and how large they are. Times are of one process' monotonic
/// clock.</summary>
sealed class EngineHistograms(Meter meter, TimeProvider time)
{
    static readonly double[] _tokens = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];

    static readonly double[] _firstToken =
        [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160];

    static readonly double[] _nextToken =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];

    static readonly double[] _request =
        [0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920];

    readonly Histogram<double> _stepSeconds = Of(meter, "hearth.engine.step", "Time of one engine step.", Short);
    readonly Histogram<int> _stepTokens = OfTokens(
        meter, "hearth.engine.step_tokens", "Tokens computed in one step, of all sequences.");
    readonly Histogram<int> _promptTokens = OfTokens(meter, "vllm.request_prompt_tokens", "Prompt tokens of a sequence.");
    readonly Histogram<int> _generated = OfTokens(
        meter, "vllm.request_generation_tokens", "Tokens made for a sequence, at its end.");
    readonly Histogram<double> _first = Of(
        meter, "vllm.time_to_first_token", "From the engine's acceptance to the first token.", _firstToken);
    readonly Histogram<double> _next = Of(
        meter, "vllm.inter_token_latency", "Between two tokens of a sequence.", _nextToken);
    readonly Histogram<double> _queue = Of(meter, "vllm.request_queue_time", "From acceptance to blocks.", _request);
    readonly Histogram<double> _prefill = Of(meter, "vllm.request_prefill_time", "From blocks to the first token.", _request);
    readonly Histogram<double> _decode = Of(meter, "vllm.request_decode_time", "From the first token to the last.", _request);
    readonly Histogram<double> _whole = Of(meter, "vllm.e2e_request_latency", "From acceptance to the end.", _request);

    public static double[] Short { get; } = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    public void Stepped(TimeSpan elapsed, int rows)
    {
        _stepSeconds.Record(elapsed.TotalSeconds);
        _stepTokens.Record(rows);
    }

    /// <param name="marks">As they stand before this token.</param>
    public void Generated(SequenceMarks marks, long now)
    {
        if (marks.Tokens == 0)
            _first.Record(Seconds(marks.Submitted, now));
        else
            _next.Record(Seconds(marks.LastToken, now));
    }

    public void Ended(SequenceMarks marks, int promptTokens, long now)
    {
        _promptTokens.Record(promptTokens);
        _generated.Record(marks.Tokens);
        _whole.Record(Seconds(marks.Submitted, now));
        if (marks.Started == 0)
            return;
        _queue.Record(Seconds(marks.Submitted, marks.Started));
        if (marks.Tokens == 0)
            return;
        _prefill.Record(Seconds(marks.Started, marks.FirstToken));
        _decode.Record(Seconds(marks.FirstToken, marks.LastToken));
    }

    double Seconds(long from, long to) => time.GetElapsedTime(from, to).TotalSeconds;

    static Histogram<double> Of(Meter meter, string name, string what, double[] bounds) => meter.CreateHistogram(
        name, "s", what, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });

    static Histogram<int> OfTokens(Meter meter, string name, string what) => meter.CreateHistogram(
        name, null, what, null,
        new InstrumentAdvice<int> { HistogramBucketBoundaries = [.. _tokens.Select(t => (int)t)] });
}
