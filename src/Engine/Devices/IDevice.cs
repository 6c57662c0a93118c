using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>Activations on a device: [rows of the step, Width], f32.</summary>
readonly record struct BufferId(int Index, int Width);

/// <summary>Weights on a device with their bias: [Rows, Columns]. An embedding table is one without a bias.</summary>
readonly record struct LinearId(int Index, int Rows, int Columns);

/// <summary>A norm's weights on a device.</summary>
readonly record struct NormId(int Index);

/// <summary>What a layer's attention looks like, on a device.</summary>
readonly record struct AttentionId(int Index);

/// <summary>A layer's experts and how rows are routed to them, on a device.</summary>
readonly record struct ExpertsId(int Index);

/// <summary>One output of a projection: target = source W^T + bias, or target += that (a residual).</summary>
readonly record struct Projection(LinearId Linear, BufferId Target, bool Accumulate = false);

/// <summary>Which numbers of a head turn, and by which of the step's angles.</summary>
/// <param name="HeadDim">A buffer's row is whole heads of so many numbers.</param>
/// <param name="First">First number of a head that turns.</param>
/// <param name="Dim">Numbers that turn, from there on: Dim / 2 pairs.</param>
/// <param name="Style">Which two form a pair: i and i + Dim / 2, or 2i and 2i + 1.</param>
/// <param name="Column">First of its Dim / 2 columns in the step's cosines and sines.</param>
readonly record struct Rotation(int HeadDim, int First, int Dim, RopeStyle Style, int Column);

/// <summary>One expert: out(activation(in) [* up]).</summary>
/// <param name="In">Gate and up, or one projection.</param>
readonly record struct Expert(LinearId[] In, LinearId Out);

/// <summary>What a decoder needs of a device: it holds weights, activations and the KV blocks, and runs fused operations over the
/// rows of one step. Operations run in the order of the calls; only <see cref="Logits"/> waits for them.
/// A row's result depends on nothing but its own sequence, whatever else the step holds.</summary>
interface IDevice : IDisposable
{
    /// <summary>Most rows of a step.</summary>
    int RowsMax { get; }

    /// <summary>Whether <see cref="Best"/> is there.</summary>
    bool GivesBest => false;

    /// <summary>Rows of the step now.</summary>
    int Rows { get; }

    /// <summary>What is loaded from here on belongs to this layer; beyond the last, to what comes after the layers.</summary>
    void Place(int layer)
    {
        // One device has them all.
    }

    /// <summary>Takes weights over in their stored type; the view's memory must outlive the device.</summary>
    /// <param name="bias">[Rows] or empty.</param>
    LinearId Load(MatrixView weights, float[] bias);

    /// <param name="weight">As long as a row of the buffers it is for.</param>
    /// <param name="bias">As long as the weight, or empty.</param>
    /// <param name="groups">A row is so many parts of equal width, each normalised by itself (query and key norms by
    /// head).</param>
    NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias, int groups = 1);

    AttentionId Load(in AttentionSpec attention);

    /// <param name="corrections">[experts], added to the scores for the choice alone; or empty.</param>
    /// <param name="experts">As many as the routing has, all of the same shape.</param>
    ExpertsId Load(in RoutingShape routing, float[] corrections, ActivationKind activation, IReadOnlyList<Expert> experts);

    BufferId Allocate(int width);

    /// <summary>Begins a step: takes over its tokens, positions and block tables.</summary>
    /// <param name="cosines">[batch.Rows, columns]: what <see cref="Rotation.Column"/> counts, the model's ropes side by side;
    /// empty if it does not rotate. Sines alike.</param>
    void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines);

    /// <summary>target = table[token] * scale.</summary>
    void Embed(LinearId table, BufferId target, float scale);

    /// <summary>target += table[position].</summary>
    void AddPositions(LinearId table, BufferId target);

    /// <param name="target">May be the source.</param>
    void Norm(NormId norm, BufferId source, BufferId target);

    /// <summary>One to three linear maps of the same rows.</summary>
    void Project(BufferId source, params ReadOnlySpan<Projection> outputs);

    /// <summary>Every number into [-limit, limit], in place.</summary>
    void Clip(float limit, params ReadOnlySpan<BufferId> buffers);

    /// <summary>Turns the heads of some buffers by the step's angles, in place.</summary>
    void Rotate(in Rotation rotation, params ReadOnlySpan<BufferId> buffers);

    /// <summary>Writes the step's keys and values into its sequences' blocks.</summary>
    void WriteKv(int layer, BufferId keys, BufferId values);

    /// <summary>Attention of the step's queries over their sequences' blocks.</summary>
    void Attend(int layer, AttentionId attention, BufferId queries, BufferId target);

    /// <summary>Attention of the step's queries to what its sequences' encoders left in their cross blocks.</summary>
    void AttendAcross(int layer, AttentionId attention, BufferId queries, BufferId target) =>
        throw new NotSupportedException("this device has no attention to an encoder's output");

    /// <summary>The MLP's middle, in place of <paramref name="gate"/>.</summary>
    /// <param name="up">The factor of a gated MLP; null if it is none.</param>
    void Activate(ActivationKind kind, BufferId gate, BufferId? up);

    /// <summary>A mixture of experts: each row chooses some by its scores, target = the sum of their results, weighted.</summary>
    /// <param name="scores">[rows, experts], of the router, raw.</param>
    void Mix(ExpertsId experts, BufferId scores, BufferId source, BufferId target);

    /// <summary>target += source * scale, or source * scale * sigmoid(gate) with a gate [rows, 1].</summary>
    void Add(BufferId source, BufferId target, float scale = 1, BufferId? gate = null);

    /// <summary>Waits for what is queued and copies a buffer's rows out.</summary>
    /// <param name="rows">[Rows, width]</param>
    void Read(BufferId buffer, Span<float> rows);

    /// <summary>Overwrites a buffer's rows.</summary>
    void Write(BufferId buffer, ReadOnlySpan<float> rows);

    /// <summary>From here on the step has only the rows whose logits are wanted; they move up in these buffers, the others are
    /// lost.</summary>
    void KeepWanted(params ReadOnlySpan<BufferId> buffers);

    /// <summary>The head over all rows, times <paramref name="scale"/>, then cap * tanh(x / cap) unless the cap is 0. Returns
    /// when the logits are there.</summary>
    /// <param name="logits">[rows, head.Rows]</param>
    void Logits(BufferId source, LinearId head, float scale, float cap, Span<float> logits);

    /// <summary>The head over all rows, and the first of the largest of each row's results. Returns when they are
    /// there.</summary>
    /// <param name="ids">[rows], -1 where none is a finite number.</param>
    void Best(BufferId source, LinearId head, Span<int> ids) =>
        throw new NotSupportedException("this device gives logits");
}
