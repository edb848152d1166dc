// Two networks look at the same frame, and the design around them hears whether they agree: two packages of
// `bnnhw export --bus stream` with the prefixes `binary` and `ternary` under one top. Both take the same codes, 16 a beat.
//
// Each beat of a frame goes to both, each at its own pace; the answer waits for the slower one. A beat passes at a rising
// edge at which valid and ready are both 1.

module vote #(
  parameter DATA = 48,  // bits of a beat: those of `i_data` of both packages
  parameter LABEL = 4  // bits of a class: those of `o_label` of both
) (
  input clk,
  input rst,
  input [DATA-1:0] i_data,
  input i_last,
  input i_valid,
  output i_ready,
  output [LABEL-1:0] o_label,  // the class that the ternary network gives
  output o_agree,  // the binary one gives the same
  output o_error,  // the frame was too short or too long
  output o_valid,
  input o_ready
);
  // Which of the two has taken the beat that is offered.
  reg binary_has, ternary_has;
  wire binary_ready, ternary_ready;
  wire binary_takes = i_valid && !binary_has && binary_ready;
  wire ternary_takes = i_valid && !ternary_has && ternary_ready;
  assign i_ready = (binary_has || binary_ready) && (ternary_has || ternary_ready);
  always @(posedge clk)
    if (rst) begin
      binary_has <= 1'b0;
      ternary_has <= 1'b0;
    end else begin
      binary_has <= (binary_has || binary_takes) && !(i_valid && i_ready);
      ternary_has <= (ternary_has || ternary_takes) && !(i_valid && i_ready);
    end

  wire [LABEL-1:0] binary_label;
  wire binary_error, binary_last, binary_valid;
  wire ternary_error, ternary_last, ternary_valid;
  // The integers are not used: only the last beat of a result counts, and waits.
  // verilator lint_off PINCONNECTEMPTY
  assign o_valid = binary_valid && binary_last && ternary_valid && ternary_last;
  assign o_agree = binary_label == o_label;
  assign o_error = binary_error || ternary_error;

  binary binary_0 (
    .clk(clk),
    .rst(rst),
    .i_data(i_data),
    .i_last(i_last),
    .i_valid(i_valid && !binary_has),
    .i_ready(binary_ready),
    .o_data(),
    .o_label(binary_label),
    .o_error(binary_error),
    .o_last(binary_last),
    .o_valid(binary_valid),
    .o_ready(!binary_last || (o_valid && o_ready))
  );

  ternary ternary_0 (
    .clk(clk),
    .rst(rst),
    .i_data(i_data),
    .i_last(i_last),
    .i_valid(i_valid && !ternary_has),
    .i_ready(ternary_ready),
    .o_data(),
    .o_label(o_label),
    .o_error(ternary_error),
    .o_last(ternary_last),
    .o_valid(ternary_valid),
    .o_ready(!ternary_last || (o_valid && o_ready))
  );
endmodule
