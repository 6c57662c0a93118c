namespace Hearth.Kernels;

/// <summary>
/// The order in which an element of a product is summed, the same on every path (one row, few rows, many rows): k is cut in
/// blocks of <see cref="BlockK"/>; in a block, lane l sums k = l, l + L, l + 2L, ... with fused multiply-adds; the lanes are
/// added as a tree of halves; the blocks are added first to last; then comes the bias, then what the result held (a
/// residual). The rest of k beyond whole vectors counts as zeros. L is the kernel set's width, so sets differ in the last
/// bits.
/// </summary>
static class ReductionOrder
{
    public const int BlockK = 1024;
}
