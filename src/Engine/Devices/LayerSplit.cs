namespace Hearth.Engine.Devices;

/// <summary>How many layers each device gets.</summary>
static class LayerSplit
{
    /// <summary>Layers in proportion to what the devices may take, at least one each; all are taken to be of one size.</summary>
    /// <param name="modelBytes">Of all weights.</param>
    /// <param name="budgets">Bytes that each device may take for weights and caches.</param>
    /// <exception cref="ArgumentException">The model does not fit, or has fewer layers than there are devices.</exception>
    public static int[] Assign(int layers, long modelBytes, IReadOnlyList<long> budgets)
    {
        if (layers < budgets.Count)
            throw new ArgumentException($"--device: the model has {layers} layers, too few for {budgets.Count} devices.");
        var all = budgets.Sum();
        if (all <= modelBytes)
        {
            throw new ArgumentException($"--max-memory: the weights take {modelBytes >> 20} MiB, and all devices together may " +
                $"take {all >> 20} MiB. Allow more, or name more devices.");
        }
        var (counts, given, room) = (new int[budgets.Count], 0, 0L);
        for (var i = 0; i < counts.Length; i++)
        {
            room += budgets[i];
            // Up to here so many layers in all; one is left for each device that follows.
            var end = (int)Math.Round((double)layers * room / all);
            counts[i] = Math.Clamp(end - given, 1, layers - given - (counts.Length - 1 - i));
            given += counts[i];
            if (counts[i] * (modelBytes / layers) > budgets[i])
            {
                throw new ArgumentException($"--max-memory: {counts[i]} layers of {modelBytes / layers >> 20} MiB do not fit " +
                    $"the {budgets[i] >> 20} MiB of device {i}. Allow more.");
            }
        }
        return counts;
    }
}
