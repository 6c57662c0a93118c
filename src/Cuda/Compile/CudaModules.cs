using System.Reflection;
using System.Text;
using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>The kernels on a card: from the cache on disk, else compiled at this first start.</summary>
sealed unsafe class CudaModules : IDisposable
{
    readonly CudaContext _context;
    readonly List<nint> _modules = [];

    /// <param name="progress">Modules ready, and all.</param>
    /// <exception cref="CudaException">NVRTC is missing, or a source does not compile.</exception>
    public CudaModules(CudaContext context, FileCache cache, Action<int, int> progress)
    {
        _context = context;
        context.MakeCurrent();
        var compiler = new KernelCompiler(context.Info);
        var sources = KernelSource.All;
        try
        {
            foreach (var source in sources)
            {
                progress(_modules.Count, sources.Count);
                _modules.Add(Load(Image(source, compiler, cache), source.Name));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
        progress(sources.Count, sources.Count);
    }

    /// <summary>A kernel by its entry point; its parameters are compared with the record's where the driver can tell
    /// them.</summary>
    public CudaKernel<T> Kernel<T>(string name) where T : unmanaged
    {
        nint function = 0;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
        {
            foreach (var module in _modules)
            {
                var result = Driver.cuModuleGetFunction(&function, module, text);
                if (result == CudaResult.Success)
                    return new CudaKernel<T>(name, function);
                if (result != CudaResult.NotFound)
                    result.Check("Driver.cuModuleGetFunction");
            }
        }
        throw new CudaException($"There is no kernel {name}.");
    }

    public void Dispose()
    {
        _context.MakeCurrent();
        foreach (var module in _modules)
            Driver.cuModuleUnload(module).Check();
        _modules.Clear();
    }

    byte[] Image(KernelSource source, KernelCompiler compiler, FileCache cache)
    {
        var key = source.Key(compiler.Circumstances, $"driver {_context.Info.DriverVersion}");
        var name = $"{Path.GetFileNameWithoutExtension(source.Name)}-{key[..32]}.bin";
        if (cache.Read(name) is { } kept)
            return kept;
        var image = compiler.Compile(source);
        cache.Write(name, image);
        return image;
    }

    static nint Load(byte[] image, string name)
    {
        nint module;
        fixed (byte* first = image)
        {
            Driver.cuModuleLoadDataEx(&module, first, 0, null, null).Check($"Driver.cuModuleLoadDataEx of {name}");
        }
        return module;
    }
}

/// <summary>An entry point and the record of its parameters.</summary>
sealed unsafe class CudaKernel<T> where T : unmanaged
{
    /// <summary>Beyond this a block's dynamic shared memory must be asked for.</summary>
    const int SharedBytesFree = 48 << 10;

    static readonly (int Offset, int Size)[] _parameters = Layout();

    readonly nint _function;
    readonly string _name;
    int _sharedBytes = SharedBytesFree;

    public CudaKernel(string name, nint function)
    {
        (_name, _function) = (name, function);
        if (Driver.FuncLoad != null)
            Driver.FuncLoad(function).Check("Driver.cuFuncLoad");
        if (Driver.FuncGetParamInfo != null)
            CheckParameters();
    }

    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    public void Launch(CudaStream stream, (int X, int Y, int Z) grid, int threads, int sharedBytes, in T parameters)
    {
        if (sharedBytes > _sharedBytes)
        {
            Driver.cuFuncSetAttribute(_function, FunctionAttribute.DynamicSharedBytesMax, sharedBytes).Check();
            _sharedBytes = sharedBytes;
        }
        var addresses = stackalloc void*[_parameters.Length];
        fixed (T* values = &parameters)
        {
            for (var i = 0; i < _parameters.Length; i++)
                addresses[i] = (byte*)values + _parameters[i].Offset;
            Driver.cuLaunchKernel(_function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1,
                (uint)sharedBytes, stream.Handle, addresses, null).Check($"Driver.cuLaunchKernel of {_name}");
        }
    }

    public void Launch(CudaStream stream, int blocks, in T parameters) =>
        Launch(stream, (blocks, 1, 1), Limits.ThreadsPerBlock, 0, parameters);

    void CheckParameters()
    {
        for (var i = 0; i <= _parameters.Length; i++)
        {
            nuint offset, size;
            var result = Driver.FuncGetParamInfo(_function, (nuint)i, &offset, &size);
            var isThere = result == CudaResult.Success;
            if (isThere != i < _parameters.Length || isThere && ((int)offset, (int)size) != _parameters[i])
                throw new CudaException($"The kernel {_name} has other parameters than {typeof(T).Name}, see number {i}.");
        }
    }

    /// <summary>As C lays parameters out: in order, each at a multiple of its size.</summary>
    static (int, int)[] Layout()
    {
        var at = 0;
        var fields = typeof(T).GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
        var layout = fields.OrderBy(f => f.MetadataToken).Select(f =>
        {
            var size = f.FieldType == typeof(ulong) || f.FieldType == typeof(long) ? sizeof(long) : sizeof(int);
            var offset = (at + size - 1) / size * size;
            at = offset + size;
            return (offset, size);
        }).ToArray();
        return sizeof(T) - at is >= 0 and < sizeof(long)
            ? layout : throw new InvalidOperationException($"{typeof(T).Name} is not laid out as its kernel's parameters");
    }
}
