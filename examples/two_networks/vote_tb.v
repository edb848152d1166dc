// Sends the frames of the package `binary`, which are those of `ternary` as well, to both networks, with stalls at random
// on both sides, and holds every answer against the results in both packages: what the reference says.

module vote_tb #(
  parameter FRAMES = 42,  // forty images, a damaged frame, and the first image again
  parameter BEATS = 165,  // of all frames: four of each, but one of the damaged one
  parameter RESULTS = 420,  // of all results: ten beats of each
  parameter BINARY = 14,  // bits of a beat of a result: integer, class, error, last
  parameter TERNARY = 13
);
  localparam DATA = 48, LABEL = 4, PER_RESULT = RESULTS / FRAMES;

  reg clk, rst, i_valid, o_ready;
  wire i_ready, i_last, o_agree, o_error, o_valid;
  wire [DATA-1:0] i_data;
  wire [LABEL-1:0] o_label;
  vote dut (
    .clk(clk),
    .rst(rst),
    .i_data(i_data),
    .i_last(i_last),
    .i_valid(i_valid),
    .i_ready(i_ready),
    .o_label(o_label),
    .o_agree(o_agree),
    .o_error(o_error),
    .o_valid(o_valid),
    .o_ready(o_ready)
  );

  reg [DATA:0] frames [0:BEATS-1];
  reg [BINARY-1:0] binary [0:RESULTS-1];
  reg [TERNARY-1:0] ternary [0:RESULTS-1];
  integer sent, got, agreed, cycle;
  reg [31:0] random;
  initial begin
    $readmemh("binary_frames.hex", frames);
    $readmemh("binary_results.hex", binary);
    $readmemh("ternary_results.hex", ternary);
    {clk, i_valid, o_ready} = 3'd0;
    {sent, got, agreed, cycle} = 128'd0;
    random = 32'd1;
    rst = 1'b1;
    #95 rst = 1'b0;
  end
  always #5 clk = ~clk;

  assign {i_last, i_data} = frames[sent < BEATS ? sent : 0];
  wire taken = i_valid && i_ready;
  // The last beat of result `got`, in each package.
  wire [BINARY-1:0] binary_beat = binary[PER_RESULT * got + PER_RESULT - 1];
  wire [TERNARY-1:0] ternary_beat = ternary[PER_RESULT * got + PER_RESULT - 1];
  wire [LABEL-1:0] binary_label = binary_beat[BINARY-3 -: LABEL];
  wire [LABEL-1:0] ternary_label = ternary_beat[TERNARY-3 -: LABEL];
  wire damaged = ternary_beat[TERNARY-2];
  wire [31:0] agrees = !damaged && o_agree ? 1 : 0;

  always @(posedge clk) if (!rst) begin
    cycle <= cycle + 1;
    random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
    if (taken || !i_valid) i_valid <= (taken ? sent + 1 : sent) < BEATS && random[4];
    o_ready <= random[9];
    if (taken) sent <= sent + 1;
    if (o_valid && o_ready) begin
      if (o_error !== damaged
          || (!damaged && (o_label !== ternary_label || o_agree !== (binary_label == ternary_label)))) begin
        $display("FAIL: answer %0d is class %0d, agreed %b, error %b", got, o_label, o_agree, o_error);
        $stop;
      end
      agreed <= agreed + agrees;
      got <= got + 1;
      if (got == FRAMES - 1) begin
        $display("PASS: %0d frames in %0d cycles, both networks agree on %0d", FRAMES, cycle, agreed + agrees);
        $finish;
      end
    end
    if (cycle == 200000) begin
      $display("FAIL: %0d of %0d answers after %0d cycles", got, FRAMES, cycle);
      $stop;
    end
  end
endmodule
