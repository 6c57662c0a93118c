namespace Hearth.Kernels;

/// <summary>Something to do over a format of weights that is known only at run time.</summary>
interface IWeightRun
{
    void Run<E>() where E : struct, IWeight;
}

/// <summary>From a <see cref="DType"/> to the code made for it.</summary>
static class Weights
{
    public static void Run<TRun>(DType type, TRun run) where TRun : struct, IWeightRun
    {
        switch (type)
        {
            case DType.F32: run.Run<ElementF32>(); break;
            case DType.F16: run.Run<ElementF16>(); break;
            case DType.BF16: run.Run<ElementBF16>(); break;
            case DType.F8E4M3: run.Run<WeightF8E4M3>(); break;
            case DType.F8E5M2: run.Run<WeightF8E5M2>(); break;
            case DType.F8E4M3Scaled: run.Run<WeightScaled<WeightF8E4M3>>(); break;
            case DType.F8E5M2Scaled: run.Run<WeightScaled<WeightF8E5M2>>(); break;
            case DType.Q8: run.Run<WeightQ8>(); break;
            case DType.Q4: run.Run<WeightQ4>(); break;
            case DType.Q4Min: run.Run<WeightQ4Min>(); break;
            case DType.Q4Zero: run.Run<WeightQ4Zero>(); break;
            case DType.Q5: run.Run<WeightQ5>(); break;
            case DType.Q5Min: run.Run<WeightQ5Min>(); break;
            case DType.Q4K: run.Run<WeightQ4K>(); break;
            case DType.Q5K: run.Run<WeightQ5K>(); break;
            case DType.Q6K: run.Run<WeightQ6K>(); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "no such dtype");
        }
    }
}
