// Whole-warp instructions: what 32 lanes brought goes in, what each gets comes out. Lane = 4 g + t.
#include "../../../src/Cuda/Kernels/prelude.cuh"

namespace emulator {

u16 bfloat_bits(f32 x)
{
    u32 u = bits_of(x);
    if ((u & 0x7fffffff) > 0x7f800000)
        return 0x7fff;
    return (u16)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

u16 half_bits(f32 x)
{
    u32 u = bits_of(x), sign = u >> 16 & 0x8000;
    u &= 0x7fffffff;
    if (u > 0x7f800000)
        return 0x7fff;
    if (u >= 0x477ff000)  // 65520 and up
        return (u16)(sign | 0x7c00);
    if (u < 0x38800000)  // below 2^-14 the steps are 2^-24
        return (u16)(sign | (u32)nearbyintf(from_bits(u) * 16777216.0f));
    u += 0xfff + (u >> 13 & 1);
    return (u16)(sign | ((u >> 13) - (112 << 10)));
}

f32 half_value(u16 bits)
{
    u32 sign = (u32)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
    if (exponent == 31)
        return from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) {
        f32 value = (f32)mantissa * (1.0f / 16777216.0f);
        return sign ? -value : value;
    }
    return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

void compute_shuffle_xor(void** lanes)
{
    auto e = (Exchange**)lanes;
    for (int i = 0; i < 32; i++)
        e[i]->result = e[i ^ e[i]->lane]->value;
}

void compute_shuffle(void** lanes)
{
    auto e = (Exchange**)lanes;
    for (int i = 0; i < 32; i++)
        e[i]->result = e[e[i]->lane & 31]->value;
}

void compute_ballot(void** lanes)
{
    auto e = (Exchange**)lanes;
    u32 all = 0;
    for (int i = 0; i < 32; i++)
        all |= (e[i]->value ? 1u : 0u) << i;
    for (int i = 0; i < 32; i++)
        e[i]->result = all;
}

static void load(void** lanes, bool transposed)
{
    auto m = (MatrixLoad**)lanes;
    for (int matrix = 0; matrix < 4; matrix++) {
        u16 elements[8][8];
        for (int row = 0; row < 8; row++)
            memcpy(elements[row], shared_place(m[matrix * 8 + row]->address, 16, 16, "load_matrices"), 16);
        for (int lane = 0; lane < 32; lane++) {
            int g = lane / 4, t = lane % 4;
            u32 low = transposed ? elements[2 * t][g] : elements[g][2 * t];
            u32 high = transposed ? elements[2 * t + 1][g] : elements[g][2 * t + 1];
            m[lane]->r[matrix] = low | high << 16;
        }
    }
}

void compute_load(void** lanes) { load(lanes, false); }
void compute_load_transposed(void** lanes) { load(lanes, true); }

// Products are exact; their sum is taken in double and rounded once, finer than any card does it.
template <class T> static void multiply(void** lanes)
{
    auto m = (MultiplyAdd**)lanes;
    f32 a[16][16], b[16][8];
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 4; r++) {
            int row = g + r % 2 * 8, column = 2 * t + r / 2 * 8;
            a[row][column] = low_half(m[lane]->a[r], T());
            a[row][column + 1] = high_half(m[lane]->a[r], T());
        }
        b[2 * t][g] = low_half(m[lane]->b0, T());
        b[2 * t + 1][g] = high_half(m[lane]->b0, T());
        b[2 * t + 8][g] = low_half(m[lane]->b1, T());
        b[2 * t + 9][g] = high_half(m[lane]->b1, T());
    }
    f32 product[16][8];
    for (int i = 0; i < 16; i++) {
        double sum[8] = {};
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++)
                sum[j] += (double)(a[i][k] * b[k][j]);
        for (int j = 0; j < 8; j++)
            product[i][j] = (f32)((double)m[i % 8 * 4 + j / 2]->d[i / 8 * 2 + j % 2] + sum[j]);
    }
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++)
            m[i % 8 * 4 + j / 2]->d[i / 8 * 2 + j % 2] = product[i][j];
}

// A word for a factor in shared memory, swizzled by 128 bytes: the chunk's bits 4 to 6 are crossed with bits 7 to 9 of the
// address.
static f32 element(u64 word, u32 offset, bool is_bf16)
{
    if (word >> 62 != 1)
        fail("a factor that is not swizzled by 128 bytes");
    u32 address = (u32)(word & 0x3fff) << 4;
    address += offset;
    address ^= address >> 3 & 0x70;
    u16 bits = *(u16*)shared_place(address, 2, 2, "group_multiply");
    return is_bf16 ? from_bits((u32)bits << 16) : half_value(bits);
}

void compute_group(const GroupProduct& p)
{
    f32 a[64][16], b[16][256];
    u32 left_rows = (u32)(p.left >> 32 & 0x3fff) << 4;
    u32 right_columns = (u32)(p.right >> 16 & 0x3fff) << 4, right_rows = (u32)(p.right >> 32 & 0x3fff) << 4;
    for (int m = 0; m < 64; m++)
        for (int k = 0; k < 16; k++) {
            if (p.left_registers[0]) {
                int thread = m / 16 * 32 + m % 8 * 4 + k % 8 / 2, r = m % 16 / 8 + k / 8 * 2;
                u32 pair = p.left_registers[thread][r];
                u16 bits = (u16)(k % 2 ? pair >> 16 : pair);
                a[m][k] = p.is_bf16 ? from_bits((u32)bits << 16) : half_value(bits);
            } else
                a[m][k] = element(p.left, (u32)(m / 8) * left_rows + (u32)(m % 8) * 128 + (u32)k * 2, p.is_bf16);
        }
    for (int k = 0; k < 16; k++)
        for (int n = 0; n < p.columns; n++)
            b[k][n] = element(p.right, (u32)(n / 64) * right_columns + (u32)(n % 64) * 2 + (u32)(k / 8) * right_rows
                + (u32)(k % 8) * 128, p.is_bf16);
    for (int m = 0; m < 64; m++)
        for (int n = 0; n < p.columns; n++) {
            double sum = 0;
            for (int k = 0; k < 16; k++)
                sum += (double)(a[m][k] * b[k][n]);
            f32& d = p.d[m / 16 * 32 + m % 8 * 4 + n % 8 / 2][n / 8 * 4 + m % 16 / 8 * 2 + n % 2];
            d = (f32)((p.add ? (double)d : 0.0) + sum);
        }
}

void compute_bf16(void** lanes) { multiply<bf16>(lanes); }
void compute_f16(void** lanes) { multiply<f16>(lanes); }

}  // namespace emulator
