using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Hearth.MakeCheckpoint;

/// <summary>Writes random weights: N(0, 0.02) in bf16, norms 1. The same every time.</summary>
static class Weights
{
    const ushort One = 0x3f80;
    const int BufferNumbers = 1 << 20;

    public static void Write(string path, Shape shape)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        file.Write(Header(shape));
        var (random, draws, buffer) = (new Random(1), Draws(), new ushort[BufferNumbers]);
        foreach (var (_, extents) in shape.Tensors())
        {
            for (var left = Count(extents); left > 0; left -= buffer.Length)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(left, buffer.Length));
                if (extents.Length == 1)
                    part.Fill(One);
                else
                    Fill(part, random, draws);
                file.Write(MemoryMarshal.AsBytes(part));
            }
        }
    }

    static byte[] Header(Shape shape)
    {
        var (table, end) = (new Dictionary<string, object>(), 0L);
        foreach (var (name, extents) in shape.Tensors())
        {
            var begin = end;
            end += 2 * Count(extents);
            table.Add(name, new { dtype = "BF16", shape = extents, data_offsets = new[] { begin, end } });
        }
        var json = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(table));
        // Padded so that the data are aligned.
        var header = new byte[(8 + json.Length + 63) & ~63];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        json.CopyTo(header, 8);
        return header;
    }

    /// <summary>Sixteen random bits choose one of 65,536 draws: fast enough for a billion.</summary>
    static void Fill(Span<ushort> numbers, Random random, ushort[] draws)
    {
        random.NextBytes(MemoryMarshal.AsBytes(numbers));
        foreach (ref var number in numbers)
            number = draws[number];
    }

    static ushort[] Draws()
    {
        var (random, draws) = (new Random(2), new ushort[1 << 16]);
        foreach (ref var draw in draws.AsSpan())
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            draw = (ushort)(BitConverter.SingleToUInt32Bits((float)(0.02 * normal)) >> 16);
        }
        return draws;
    }

    static long Count(int[] extents) => extents.Aggregate(1L, (a, b) => a * b);
}
