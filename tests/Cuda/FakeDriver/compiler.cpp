// NVRTC, as far as it can be checked without a card: what it is given and how the result is taken.
#include "fake.h"
#include "kernels.h"

struct Program { std::string source, log, image; };

EXPORT int nvrtcVersion(int* major, int* minor) { return *major = 12, *minor = 4, 0; }
EXPORT const char* nvrtcGetErrorString(int) { return "an error of the fake compiler"; }
EXPORT int nvrtcGetNumSupportedArchs(int* count) { return *count = 2, 0; }
EXPORT int nvrtcGetSupportedArchs(int* architectures) { return architectures[0] = 80, architectures[1] = 90, 0; }
EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char*, int headers, const char** contents, const char** names)
{
    *program = new Program{source, "", ""};
    // Every header that is included must have been given: nothing is read from disk.
    for (const char* at = source; (at = strstr(at, "#include \"")); at++) {
        std::string name(at + 10, strcspn(at + 10, "\""));
        bool found = false;
        for (int i = 0; i < headers; i++)
            found |= name == names[i] && contents[i][0];
        if (!found)
            (*program)->log += name + " was not given\n";
    }
    return 0;
}
EXPORT int nvrtcCompileProgram(Program* program, int count, const char** options)
{
    std::string all;
    for (int i = 0; i < count; i++)
        all += std::string(options[i]) + " ";
    if (all.find("--gpu-architecture=sm_") == std::string::npos && all.find("--gpu-architecture=compute_") == std::string::npos)
        program->log += "no architecture\n";
    if (all.find("--modify-stack-limit=false") == std::string::npos)
        program->log += "the process's stack limit would change\n";
    if (program->source.find("this does not compile") != std::string::npos)
        program->log += "line 1: this does not compile\n";
    program->image = "fake cubin " + all;
    fake_counters.compilations++;
    return program->log.empty() ? 0 : 6;
}
EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* bytes) { return *bytes = program->log.size() + 1, 0; }
EXPORT int nvrtcGetProgramLog(Program* program, char* log) { return strcpy(log, program->log.c_str()), 0; }
EXPORT int nvrtcGetCUBINSize(Program* program, size_t* bytes) { return *bytes = program->image.size() + 1, 0; }
EXPORT int nvrtcGetCUBIN(Program* program, char* image) { return strcpy(image, program->image.c_str()), 0; }
EXPORT int nvrtcGetPTXSize(Program* program, size_t* bytes) { return nvrtcGetCUBINSize(program, bytes); }
EXPORT int nvrtcGetPTX(Program* program, char* image) { return nvrtcGetCUBIN(program, image); }
EXPORT int nvrtcDestroyProgram(Program** program) { return delete *program, *program = nullptr, 0; }
