// The bench of whole accelerators (sim/accelerator_bench.py) for thousands of runs of one compiled model: what cocotb does
// in a minute takes a second here. Both give the same answers in the same cycles, which a test asserts.
//
//     accelerator MUTANT BEATS ANSWERS STARTS I_STALLS O_STALLS I_LAST O_LAST FRAMES RESET_AT HANG_CYCLES MOST_BEATS
//         [IMAGE]
//
// MUTANT goes to the port `mutant` and chooses a fault, 0 none. I_STALLS and O_STALLS are files of the characters 0 and 1,
// taken from the start again after their end: whether to stall. MOST_BEATS is the number of output beats after which an
// accelerator has no end. The other arguments are those of the bench's job. The exit status is 1, with the reason on
// standard error, where the bench would fail. Compiled with LOADS, the accelerator loads memories from the file IMAGE.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "Vaccelerator.h"

// Verilator's names of the ports i__valid and so on.
#define i_valid i___05Fvalid
#define i_ready i___05Fready
#define i_payload i___05Fpayload
#define o_valid o___05Fvalid
#define o_ready o___05Fready
#define o_payload o___05Fpayload

namespace {

// A payload: words of 32 bits, the lowest first.
using Payload = std::vector<uint32_t>;

Payload parse(const std::string& hex) {
    Payload words;
    for (size_t end = hex.size(); end > 0; end -= std::min<size_t>(end, 8)) {
        const size_t begin = end - std::min<size_t>(end, 8);
        words.push_back(std::strtoul(hex.substr(begin, end - begin).c_str(), nullptr, 16));
    }
    return words;
}

bool bit(const Payload& words, int position) {
    return size_t(position / 32) < words.size() && words[position / 32] >> position % 32 & 1;
}

std::string text(const Payload& words) {
    std::string hex;
    char part[9];
    for (size_t k = words.size(); k-- > 0;) {
        std::snprintf(part, sizeof part, "%08x", words[k]);
        hex += part;
    }
    return hex;
}

// Verilator's ports are integers of 8 to 64 bits, or arrays of words.
template <typename Port>
void put(Port& port, const Payload& words) {
    if constexpr (std::is_integral_v<Port>) {
        uint64_t value = 0;
        for (size_t k = words.size(); k-- > 0;) value = value << 32 | words[k];
        port = Port(value);
    } else {
        for (size_t k = 0; k < sizeof port / 4; ++k) port[k] = k < words.size() ? words[k] : 0;
    }
}

template <typename Port>
Payload get(const Port& port) {
    Payload words;
    if constexpr (std::is_integral_v<Port>) {
        words = {uint32_t(port), uint32_t(uint64_t(port) >> 32)};
    } else {
        for (size_t k = 0; k < sizeof port / 4; ++k) words.push_back(port[k]);
    }
    return words;
}

std::string contents(const char* path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class Stalls {
public:
    explicit Stalls(const char* path) : pattern_{contents(path)} {}
    bool none() const { return pattern_.empty(); }
    bool next() {
        if (none()) return false;
        if (at_ == pattern_.size()) at_ = 0;
        return pattern_[at_++] == '1';
    }

private:
    std::string pattern_;
    size_t at_ = 0;
};

Vaccelerator* dut;

// What comes out before the next edge of the clock is seen after `settle`; `edge` is that edge.
void settle() {
    dut->clk = 0;
    dut->eval();
}

void edge() {
    dut->clk = 1;
    dut->eval();
}

void reset(int cycles) {
    dut->rst = 1;
    dut->i_valid = 0;
    put(dut->i_payload, {});
    dut->o_ready = 0;
    for (int k = 0; k < cycles; ++k) {
        settle();
        edge();
    }
    dut->rst = 0;
}

int failed(const std::string& why) {
    std::cerr << why << '\n';
    return 1;
}

#ifdef LOADS
// Loads the memories; false if it is neither done nor refused for `hang_cycles`.
bool load(const std::string& image, long hang_cycles) {
    for (size_t k = 0; k < image.size(); ++k) {
        dut->image___05Fvalid = 1;
        dut->image___05Fpayload = uint8_t(image[k]) | (k == 0) << 8;
        settle();
        edge();
    }
    dut->image___05Fvalid = 0;
    for (long k = 0; k < hang_cycles; ++k) {
        settle();
        if (dut->loaded || dut->failed) return true;
        edge();
    }
    return false;
}
#endif

}  // namespace

int main(int argc, char** argv) {
#ifdef LOADS
    if (argc != 14) return 2;
    const std::string image = contents(argv[13]);
#else
    if (argc != 13) return 2;
#endif
    VerilatedContext context;
    Vaccelerator instance{&context};
    dut = &instance;
    dut->mutant = std::atoi(argv[1]);
    std::vector<Payload> beats;
    {
        std::ifstream file{argv[2]};
        for (std::string line; file >> line;) beats.push_back(parse(line));
    }
    std::ofstream answers{argv[3]}, starts{argv[4]};
    Stalls i_stalls{argv[5]}, o_stalls{argv[6]};
    const bool steady = i_stalls.none() && o_stalls.none();
    const int i_last = std::atoi(argv[7]), o_last = std::atoi(argv[8]);
    const long frames = std::atol(argv[9]), reset_at = std::atol(argv[10]), hang_cycles = std::atol(argv[11]);
    const long most_beats = std::atol(argv[12]);

    reset(4);
#ifdef LOADS
    if (!load(image, hang_cycles)) return failed("nothing moved: the image is neither loaded nor refused");
#endif
    size_t sent = 0;
    if (reset_at >= 0) {
        bool offered = false;
        for (long idle = 0; sent < size_t(reset_at); ++idle) {
            if (idle == hang_cycles) return failed("nothing moved before the reset");
            offered = offered || !i_stalls.next();
            dut->i_valid = offered;
            put(dut->i_payload, beats[sent]);
            dut->o_ready = !o_stalls.next();
            settle();
            if (offered && dut->i_ready) {
                ++sent;
                offered = false;
                idle = 0;
            }
            edge();
        }
        reset(1);
#ifdef LOADS
    if (!load(image, hang_cycles)) return failed("nothing moved: the image is neither loaded nor refused");
#endif
    }

    bool offered = sent < beats.size() && (steady || !i_stalls.next());
    bool taking = steady || !o_stalls.next();
    bool first = true, held = false;
    Payload holds;
    dut->i_valid = offered;
    if (offered) put(dut->i_payload, beats[sent]);
    dut->o_ready = taking;
    long ended = 0, idle = 0, taken = 0;
    for (long cycle = 0; ended < frames; ++cycle) {
        settle();
        const bool taken_in = dut->i_ready, there = dut->o_valid;
        const Payload payload = there ? get(dut->o_payload) : Payload{};
        edge();
        ++idle;
        if (offered && taken_in) {
            if (first) starts << cycle << '\n';
            first = bit(beats[sent++], i_last);
            idle = 0;
            offered = sent < beats.size() && (steady || !i_stalls.next());
            dut->i_valid = offered;
            if (offered) put(dut->i_payload, beats[sent]);
        } else if (!offered && sent < beats.size()) {
            // A beat that is offered stays so until it is taken; only the start of an offer may wait.
            offered = !i_stalls.next();
            if (offered) {
                dut->i_valid = 1;
                put(dut->i_payload, beats[sent]);
            }
        }
        const std::string at = "cycle " + std::to_string(cycle) + ": ";
        if (there) {
            if (held && payload != holds) return failed(at + "the payload changed before it was taken");
            if (taking) {
                answers << std::hex << cycle << ' ' << text(payload) << '\n';
                ended += bit(payload, o_last);
                held = false;
                idle = 0;
                if (++taken > most_beats) return failed(at + "answers without an end");
            } else {
                held = true;
                holds = payload;
            }
        } else if (held) {
            return failed(at + "valid dropped before the beat was taken");
        }
        if (!steady) {
            taking = !o_stalls.next();
            dut->o_ready = taking;
        }
        if (idle >= hang_cycles) return failed(at + "nothing moved for " + std::to_string(idle) + " cycles");
    }
    dut->final();
    return 0;
}
