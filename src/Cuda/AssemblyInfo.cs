// Every argument crosses the border as it lies in memory.
[assembly: System.Runtime.CompilerServices.DisableRuntimeMarshalling]
